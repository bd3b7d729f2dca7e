"""A hardware description as a chain of memories and arrays, from the external memory to the compute units.

Operands are named by the port of the compute unit they feed: ``input`` and ``weight`` are the factors, ``output`` is the
result. In the gradient of a weight, the activation is the input, the gradient of the output takes the port of the weight,
and the gradient of the weight is the output.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from hwsim.architecture.architecture import Contractions
from hwsim.files import Frozen
from hwsim.workload.operator import FormatName

Port = Literal["input", "weight", "output"]
PORTS: tuple[Port, Port, Port] = ("input", "weight", "output")
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Energy = str | dict[Port, str]
"""Name of a coefficient of the technology, or one for each port."""


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


class ArrayNode(Frozen):
    """A spatial fan-out along one axis."""

    array: str = Field(min_length=1)
    size: PositiveInt
    """Instances of everything inside."""
    unroll: tuple[str, ...] | None = None
    """Dimensions that may spread over it; any if unset."""
    multicast: tuple[Literal["input", "weight"], ...] = ("input", "weight")
    """Factors of which one read outside serves all instances."""
    reduce: bool = True
    """Whether partial results of different instances add up on the way out."""
    energy: Energy | None = None
    """Coefficient of carrying a word to or from one instance, by bits moved."""


class HierarchyArchitecture(Frozen):
    """An accelerator whose mappings are searched for the optimum."""

    schema_: Literal["hwsim/architecture/1"] = Field(alias="schema")
    kind: Literal["hierarchy"]
    name: str = Field(min_length=1)
    title: str
    source: str
    technology: str
    """Name of a technology table, or path of a YAML file beside this one."""
    clock_mhz: Positive
    nodes: Annotated[tuple[MemoryNode | ArrayNode, ...], Field(min_length=1)]
    """From the outside in; the first is a memory that holds everything."""
    lanes: dict[FormatName, Positive] = {}
    """Points a compute unit finishes per cycle with factors of a format; 1 for those not listed."""
    contractions: Contractions = Contractions()

    @model_validator(mode="after")
    def _outermost_holds_everything(self) -> HierarchyArchitecture:
        first = self.nodes[0]
        if not isinstance(first, MemoryNode) or set(first.holds) != set(PORTS) or first.may_bypass:
            raise ValueError("the first node must be a memory that always holds input, weight and output")
        return self

    @property
    def clock_hz(self) -> float:
        """Clock in hertz."""
        return self.clock_mhz * 1e6

    @property
    def processing_elements(self) -> int:
        """Compute units."""
        count = 1
        for node in self.nodes:
            count *= node.size if isinstance(node, ArrayNode) else 1
        return count

    @property
    def dram_bits_per_cycle(self) -> float:
        """Peak bits the outermost memory moves in one cycle; infinite if unlimited."""
        first = self.nodes[0]
        bandwidth = first.bits_per_cycle if isinstance(first, MemoryNode) else None
        return bandwidth or float("inf")
