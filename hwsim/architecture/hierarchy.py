"""A hardware description as a chain of memories and arrays, from the external memory to the compute units."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from hwsim import formats
from hwsim.architecture.base import Accelerator, Level, NarrowMode, Positive, StreamLevel
from hwsim.architecture.nodes import PORTS, ArrayNode, MemoryNode, Node, coefficient
from hwsim.architecture.sparsity import Zeros
from hwsim.workload.operator import CONTRACTIONS, Primitive


def _format_pair(text: str) -> str:
    names = text.split("*")
    if len(names) > 2:
        raise ValueError("must be one format or two, as int8*int4")
    return "*".join(formats.parse(name.strip()).name for name in names)


def _lane_key(text: str) -> str:
    primitive, colon, pair = text.rpartition(":")
    if not colon:
        return text if text in CONTRACTIONS else _format_pair(text)
    if primitive not in CONTRACTIONS:
        raise ValueError(f"primitive must be one of {', '.join(sorted(CONTRACTIONS))}, not {primitive}")
    return f"{primitive}:{_format_pair(pair)}"


LaneKey = Annotated[str, AfterValidator(_lane_key)]
"""``int8``, ``int8*int4``, ``shift:int8*int4`` or ``shift``."""


class FreeDataflow(Accelerator):
    """An accelerator whose mappings are searched for the optimum.

    Operands are named by the port of the compute unit they feed: ``input`` and ``weight`` are the factors, ``output``
    is the result. In the gradient of a weight the activation is the input, the gradient of the output takes the
    port of the weight, and the gradient of the weight is the output.
    """

    kind: Literal["hierarchy"]
    nodes: Annotated[tuple[Node, ...], Field(min_length=1)]
    """From the outside in; the first is the external memory, which holds everything."""
    primitives: tuple[Primitive, ...] | None = None
    """What a compute unit computes; anything that the technology prices if unset."""
    lanes: dict[LaneKey, Positive] = {}
    """Points a compute unit finishes per cycle: by the formats of both factors (``int8*int4``, in any order), else by
    the wider one's; 1 for those not listed. A primitive may stand before (``shift:int8``) or alone (``shift``); the
    first that is listed counts, those with the primitive before those without."""
    zeros: Zeros = Zeros()
    """What zeros of the factors save; nothing unless declared."""

    @field_validator("nodes")
    @classmethod
    def _outermost_holds_everything(cls, nodes: tuple[Node, ...]) -> tuple[Node, ...]:
        first = nodes[0]
        if not isinstance(first, MemoryNode) or set(first.holds) != set(PORTS) or first.may_bypass:
            raise ValueError("the first must be a memory that always holds input, weight and output")
        return nodes

    @field_validator("nodes")
    @classmethod
    def _names_differ(cls, nodes: tuple[Node, ...]) -> tuple[Node, ...]:
        names = [node.name for node in nodes]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"must have names that differ, and {twice[0]} is there {names.count(twice[0])} times")
        return nodes

    @model_validator(mode="after")
    def _compressed_where_it_can_be(self) -> FreeDataflow:
        memories = [node for node in self.nodes if isinstance(node, MemoryNode)]
        if inner := [node.memory for node in memories[1:] if "output" in node.compression]:
            raise ValueError(f"output may be compressed in the first memory only, where it is final, not in {inner[0]}")
        for port in self.zeros.skips:
            holder = [node for node in memories if port in node.holds][-1]
            if port not in holder.compression:
                raise ValueError(f"skipping {port} needs its indices: memory {holder.memory} must compress {port}")
        return self

    def lanes_of(self, primitive: str, first: str, second: str, widest: str) -> float:
        """Points a compute unit finishes per cycle with factors of formats ``first`` and ``second``."""
        formats_ = (f"{first}*{second}", f"{second}*{first}", widest)
        for key in (*(f"{primitive}:{one}" for one in formats_), primitive, *formats_):
            if key in self.lanes:
                return self.lanes[key]
        return 1.0

    @property
    def elements(self) -> int:
        """Compute units."""
        return math.prod(node.size for node in self.nodes if isinstance(node, ArrayNode))

    @property
    def narrow(self) -> NarrowMode | None:
        """None: lanes say what narrow formats gain."""
        return None

    @property
    def buffer(self) -> str:
        """Every memory with a capacity of its own."""
        sized = [node for node in self.nodes if isinstance(node, MemoryNode) and node.bits]
        return ", ".join(f"{node.memory} {(node.bits or 0) / 8192:,g} KiB" for node in sized) or "none"

    @property
    def vector_lanes(self) -> int:
        """Every compute unit does one elementary operation per cycle."""
        return self.elements

    @property
    def stream_levels(self) -> tuple[StreamLevel, ...]:
        """Every node that charges for a word, at the coefficient of its first port."""
        return tuple(
            self._stream_level(k, node, coefficient(node.energy, "input"))
            for k, node in enumerate(self.nodes)
            if node.energy is not None
        )

    def _stream_level(self, k: int, node: MemoryNode | ArrayNode, key: str) -> StreamLevel:
        """Node ``k`` for streams; memories inside arrays keep nothing of them."""
        if isinstance(node, ArrayNode):
            return StreamLevel(self.component(k), key, hops=node.hops, node=node.name)
        instances = math.prod(outer.size for outer in self.nodes[:k] if isinstance(outer, ArrayNode))
        kept = float(node.bits or 0) if instances == 1 else 0.0
        limits = (node.shared_bits_per_cycle, *node.directed_bits_per_cycle)
        bandwidth = min((one for one in limits if one is not None), default=math.inf) * instances
        size = math.inf if k == 0 else kept
        return StreamLevel(self.component(k), key, size, bandwidth, node.row_bits, node=node.name)

    def component(self, k: int) -> Level:
        """What node ``k`` counts as in breakdowns."""
        if isinstance(self.nodes[k], ArrayNode):
            return "network"
        if k == 0:
            return "dram"
        within_array = any(isinstance(node, ArrayNode) for node in self.nodes[:k])
        return "register_file" if within_array else "global_buffer"

    @property
    def tells_factors_apart(self) -> bool:
        """Whether zeros or stored formats bind operands to the port that is called like them."""
        declared = (self.zeros.skips, self.zeros.gating)
        stored = (node.compression for node in self.nodes if isinstance(node, MemoryNode))
        return any(("input" in ports) != ("weight" in ports) for ports in declared) or any(
            one.get("input") != one.get("weight") for one in stored
        )

    @property
    def symmetric(self) -> bool:
        """Whether the ports of the two factors are alike everywhere."""
        return all(_alike(node) for node in self.nodes)


def _alike(node: MemoryNode | ArrayNode) -> bool:
    if isinstance(node.energy, dict) and node.energy["input"] != node.energy["weight"]:
        return False
    if isinstance(node, ArrayNode):
        return ("input" in node.multicast) == ("weight" in node.multicast) and node.shares in {None, "output"}
    if node.stationary in {"input", "weight"}:
        return False
    return all(own.get("input") == own.get("weight") for own in (node.words, node.port_bits_per_cycle)) and all(
        ("input" in ports) == ("weight" in ports) for ports in (node.holds, node.may_bypass)
    )
