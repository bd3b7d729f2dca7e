"""A hardware description as a chain of memories and arrays, from the external memory to the compute units."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    PositiveInt,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from hwsim import formats
from hwsim.architecture.base import Accelerator, Level, NarrowMode, Positive, StreamLevel
from hwsim.architecture.sparsity import Compression, Zeros
from hwsim.files import Frozen
from hwsim.workload.operator import Primitive

Port = Literal["input", "weight", "output"]
PORTS: tuple[Port, Port, Port] = ("input", "weight", "output")


def _all_ports(energy: str | dict[Port, str]) -> str | dict[Port, str]:
    if isinstance(energy, dict) and (missing := [port for port in PORTS if port not in energy]):
        raise ValueError(f"energy must name a coefficient for {missing[0]} too")
    return energy


def _format_pair(text: str) -> str:
    names = text.split("*")
    if len(names) > 2:
        raise ValueError("must be one format or two, as int8*int4")
    return "*".join(formats.parse(name.strip()).name for name in names)


FormatPair = Annotated[str, AfterValidator(_format_pair)]
"""``int8``, or ``int8*int4``."""

Energy = Annotated[str | dict[Port, str], AfterValidator(_all_ports)]
"""Name of a coefficient of the technology, or one for each port."""


Ports = TypeVar("Ports", tuple[Port, ...], dict[Port, int])


class MemoryNode(Frozen):
    """A storage level."""

    memory: str = Field(min_length=1)
    energy: Energy
    """Coefficient of an access, by bits moved."""
    holds: tuple[Port, ...] = PORTS
    may_bypass: tuple[Port, ...] = ()
    """Operands that a mapping may choose not to keep here."""
    words: dict[Port, PositiveInt] = {}
    """Capacity for one operand alone, in words."""
    bits: PositiveInt | None = None
    """Capacity for all operands together, in bits."""
    bits_per_cycle: Positive | None = None
    """Bandwidth of one instance, all operands and both directions together."""
    read_bits_per_cycle: Positive | None = None
    """Bandwidth of reads alone; like the next two, a limit that the search does not know of."""
    write_bits_per_cycle: Positive | None = None
    port_bits_per_cycle: dict[Port, Positive] = {}
    """Bandwidth for one operand alone."""
    double_buffered: bool = True
    """Whether it fills while what is inside it computes; if not, the two take turns."""
    compression: dict[Port, Compression] = {}
    """How operands are stored here; the search does not know of it."""
    loops: tuple[str, ...] | None = None
    """Dimensions that may have loops here; any if unset."""
    stationary: Port | None = None
    """Operand that loops here keep in place: those that do not move it run innermost. Any order if unset."""

    @field_validator("may_bypass", "words")
    @classmethod
    def _of_what_it_holds(cls, ports: Ports, others: ValidationInfo) -> Ports:
        held = others.data.get("holds", PORTS)
        if absent := [port for port in ports if port not in held]:
            raise ValueError(f"must name operands that the memory holds, and {absent[0]} is none of them")
        return ports


class ArrayNode(Frozen):
    """A spatial fan-out along one axis."""

    array: str = Field(min_length=1)
    size: PositiveInt
    """Instances of everything inside."""
    unroll: tuple[str, ...] | None = None
    """Dimensions that may spread over it; any if unset."""
    shares: Port | None = None
    """Operand of which all instances must work on the same words: no dimension that indexes it may spread.

    ``output`` where an adder tree joins them, ``input`` or ``weight`` where one bus feeds them all.
    """
    multicast: tuple[Literal["input", "weight"], ...] = ("input", "weight")
    """Factors of which one read outside serves all instances."""
    reduce: bool = True
    """Whether partial results of different instances add up on the way out."""
    fill_cycles: Annotated[int, Field(ge=0)] = 0
    """Cycles to fill and drain it, once per pass: each iteration of the loops of memories outside it."""
    energy: Energy | None = None
    """Coefficient of carrying a word to or from one instance, by bits moved."""


def _node_kind(node: Any) -> str:
    named = node if isinstance(node, dict) else vars(node)
    return "array node" if "array" in named else "memory node"


Node = Annotated[
    Annotated[MemoryNode, Tag("memory node")] | Annotated[ArrayNode, Tag("array node")], Discriminator(_node_kind)
]
"""Whichever it names: a ``memory`` or an ``array``."""


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
    lanes: dict[FormatPair, Positive] = {}
    """Points a compute unit finishes per cycle: by the formats of both factors (``int8*int4``, in any order), else by
    the wider one's; 1 for those not listed."""
    zeros: Zeros = Zeros()
    """What zeros of the factors save; nothing unless declared."""

    @field_validator("nodes")
    @classmethod
    def _outermost_holds_everything(cls, nodes: tuple[Node, ...]) -> tuple[Node, ...]:
        first = nodes[0]
        if not isinstance(first, MemoryNode) or set(first.holds) != set(PORTS) or first.may_bypass:
            raise ValueError("the first must be a memory that always holds input, weight and output")
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

    def lanes_of(self, first: str, second: str, widest: str) -> float:
        """Points a compute unit finishes per cycle with factors of formats ``first`` and ``second``."""
        for key in (f"{first}*{second}", f"{second}*{first}", widest):
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
            StreamLevel(self.component(k), coefficient(node.energy, "input"), *self._stream_limits(k))
            for k, node in enumerate(self.nodes)
            if node.energy is not None
        )

    def _stream_limits(self, k: int) -> tuple[float, float]:
        """Capacity and bandwidth of node ``k`` for streams; memories inside arrays keep nothing of them."""
        node = self.nodes[k]
        if isinstance(node, ArrayNode):
            return 0.0, math.inf
        instances = math.prod(outer.size for outer in self.nodes[:k] if isinstance(outer, ArrayNode))
        bandwidth = (node.bits_per_cycle or math.inf) * instances
        if k == 0:
            return math.inf, bandwidth
        return float(node.bits or 0) if instances == 1 else 0.0, bandwidth

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


def coefficient(energy: Energy, port: Port) -> str:
    """Name of the coefficient for ``port``."""
    return energy if isinstance(energy, str) else energy[port]


def _alike(node: MemoryNode | ArrayNode) -> bool:
    if isinstance(node.energy, dict) and node.energy["input"] != node.energy["weight"]:
        return False
    if isinstance(node, ArrayNode):
        return ("input" in node.multicast) == ("weight" in node.multicast) and node.shares in {None, "output"}
    if node.stationary in {"input", "weight"}:
        return False
    return node.words.get("input") == node.words.get("weight") and all(
        ("input" in ports) == ("weight" in ports) for ports in (node.holds, node.may_bypass)
    )
