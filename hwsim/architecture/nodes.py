"""Nodes of a hierarchy: memories and arrays, as a file describes them."""

from __future__ import annotations

from collections.abc import Collection
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

from hwsim.architecture.base import Positive, in_rows
from hwsim.architecture.sparsity import Compression
from hwsim.files import Frozen

Port = Literal["input", "weight", "output"]
PORTS: tuple[Port, Port, Port] = ("input", "weight", "output")


def _all_ports(energy: str | dict[Port, str]) -> str | dict[Port, str]:
    if isinstance(energy, dict) and (missing := [port for port in PORTS if port not in energy]):
        raise ValueError(f"energy must name a coefficient for {missing[0]} too")
    return energy


Energy = Annotated[str | dict[Port, str], AfterValidator(_all_ports)]
"""Name of a coefficient of the technology, or one for each port."""


Count = Annotated[int, Field(ge=0)]

Ports = TypeVar("Ports", bound=Collection[Port])


class RowPorts(Frozen):
    """Ports of a memory, each for one row per cycle: ``shared`` ones read or write, as it comes."""

    read: Count = 0
    write: Count = 0
    shared: Count = 0

    @model_validator(mode="after")
    def _both_ways(self) -> RowPorts:
        if not self.shared and not (self.read and self.write):
            raise ValueError("must let rows in and out: a shared port, or one to read and one to write")
        return self

    @property
    def together(self) -> int | None:
        """Rows per cycle in both directions, None if each has its own ports only."""
        return self.read + self.write + self.shared if self.shared else None

    @property
    def apart(self) -> tuple[int | None, int | None]:
        """Rows per cycle that are read and that are written at most, None if shared ports alone limit them."""
        if self.shared and not self.read and not self.write:
            return None, None
        return self.read + self.shared, self.write + self.shared


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
    row_bits: PositiveInt | None = None
    """Width of a row, the least that is read or written. Words lie in rows side by side and in none across a border."""
    ports: RowPorts | None = None
    """How many rows a cycle reads and writes; or instead:"""
    bits_per_cycle: Positive | None = None
    """Bandwidth of one instance, all operands and both directions together."""
    read_bits_per_cycle: Positive | None = None
    """Bandwidth of reads alone."""
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

    @field_validator("may_bypass", "words", "port_bits_per_cycle")
    @classmethod
    def _of_what_it_holds(cls, ports: Ports, others: ValidationInfo) -> Ports:
        held = others.data.get("holds", PORTS)
        if absent := [port for port in ports if port not in held]:
            raise ValueError(f"must name operands that the memory holds, and {absent[0]} is none of them")
        return ports

    @field_validator("ports")
    @classmethod
    def _of_rows(cls, ports: RowPorts | None, others: ValidationInfo) -> RowPorts | None:
        if ports is not None and others.data.get("row_bits") is None:
            raise ValueError("must stand beside row_bits, the width of what a port carries per cycle")
        return ports

    @field_validator("compression")
    @classmethod
    def _without_rows(cls, compression: dict[Port, Compression], others: ValidationInfo) -> dict[Port, Compression]:
        if compression and others.data.get("row_bits") is not None:
            raise ValueError("must not stand beside row_bits: compressed words have no width of their own")
        return compression

    @field_validator("bits_per_cycle", "read_bits_per_cycle", "write_bits_per_cycle")
    @classmethod
    def _without_ports(cls, bandwidth: float | None, others: ValidationInfo) -> float | None:
        if bandwidth is not None and others.data.get("ports") is not None:
            raise ValueError("must not stand beside ports, which say the same")
        return bandwidth

    @property
    def shared_bits_per_cycle(self) -> float | None:
        """Bandwidth of reads and writes together, None if nothing but their own limits them."""
        both = self.ports.together if self.ports else None
        return self.bits_per_cycle if both is None or self.row_bits is None else both * self.row_bits

    @property
    def directed_bits_per_cycle(self) -> tuple[float | None, float | None]:
        """Bandwidth of reads alone and of writes alone, None where only the shared one counts."""
        if self.ports is None or self.row_bits is None:
            return self.read_bits_per_cycle, self.write_bits_per_cycle
        reads, writes = self.ports.apart
        return reads and reads * self.row_bits, writes and writes * self.row_bits

    def stored_bits(self, bits: float) -> float:
        """What a word of ``bits`` bits takes, its share of what is left of a row included."""
        return in_rows(bits, self.row_bits)

    @property
    def name(self) -> str:
        """What files of mappings call it."""
        return self.memory


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
    """Coefficient of carrying a word over one hop, by bits moved."""
    hops: Positive = 1.0
    """Hops of a word to or from an instance, on average over the instances."""
    hop_cycles: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Cycles of a hop: words follow each other, so every pass waits for its first word only."""

    @property
    def name(self) -> str:
        """What files of mappings call it."""
        return self.array

    @property
    def pass_cycles(self) -> float:
        """Cycles that every pass takes beside its work."""
        return self.fill_cycles + self.hops * self.hop_cycles


def _node_kind(node: Any) -> str:
    is_array = "array" in node if isinstance(node, dict) else isinstance(node, ArrayNode)
    return "array node" if is_array else "memory node"


Node = Annotated[
    Annotated[MemoryNode, Tag("memory node")] | Annotated[ArrayNode, Tag("array node")], Discriminator(_node_kind)
]
"""Whichever it names: a ``memory`` or an ``array``."""


def coefficient(energy: Energy, port: Port) -> str:
    """Name of the coefficient for ``port``."""
    return energy if isinstance(energy, str) else energy[port]
