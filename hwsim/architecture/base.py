"""What every kind of architecture has, whatever computes its contractions."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, PositiveInt, ValidationInfo, field_validator

from hwsim.architecture.dram import Dram
from hwsim.files import Frozen
from hwsim.workload.operator import FormatName

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Level = Literal["dram", "global_buffer", "network", "register_file"]


def in_rows(bits: float, row_bits: int | None) -> float:
    """What a word of ``bits`` bits takes in rows of ``row_bits`` bits, its share of what is left of a row included."""
    if row_bits is None or not bits:
        return bits
    if bits > row_bits:
        return float(math.ceil(bits / row_bits) * row_bits)
    return row_bits / (row_bits // bits)


class StreamLevel(NamedTuple):
    """A memory or a network that operands pass when no contraction maps them."""

    component: Level
    coefficient: str
    capacity_bits: float = 0.0
    """What it holds in all, for reuse; infinite for the external memory, nothing for wires and registers."""
    bits_per_cycle: float = math.inf
    """Bandwidth of all its instances together; that of the external memory is the architecture's."""
    row_bits: int | None = None
    """Width of a row, in which words lie side by side and in none across a border."""
    hops: float = 1.0
    """How often a word is charged on its way."""
    node: str = ""
    """What the architecture calls it."""


class NarrowMode(Frozen):
    """What the same silicon offers to operands of at most ``bits`` bits."""

    bits: PositiveInt
    words_factor: PositiveInt
    """Every memory holds this many times the words."""
    elements_factor: PositiveInt
    """The array works as this many times the processing elements."""


class Contractions(Frozen):
    """How the array computes contractions; unset fields keep what the workload says."""

    format: FormatName | None = None
    """Format of all operands."""
    float_format: FormatName | None = None
    """Format of operands that the workload leaves in floating point; integers keep theirs."""
    weight_format: FormatName | None = None
    """Format of parameters, if it differs."""
    weight_primitive: Literal["mac", "shift", "add"] | None = None
    """Replaces ``mac`` wherever one factor is a parameter; products of activations stay ``mac``."""


class Accelerator(Frozen, ABC):
    """Base of the kinds of architecture: name, source, technology, clock and external memory."""

    schema_: Literal["hwsim/architecture/1"] = Field(alias="schema")
    name: str = Field(min_length=1)
    title: str
    source: str
    technology: str
    """Name of a technology table, or path of a YAML file beside this one."""
    clock_mhz: Positive
    dram: Dram | None = None
    """The external memory by its standard, or instead:"""
    dram_gb_per_s: Positive | None = Field(default=None, validate_default=True)
    """Peak bandwidth of the external memory in 10^9 bytes per second."""
    dram_burst_bytes: PositiveInt | None = None
    """Smallest access to the external memory; shorter or broken runs of addresses fetch this much all the same."""
    standing: tuple[str, ...] = ()
    """Coefficients of the power that it draws as long as it runs: leakage in ``mW``, a clock in ``pJ/cycle``."""
    contractions: Contractions = Contractions()

    @field_validator("dram_gb_per_s")
    @classmethod
    def _either(cls, bandwidth: float | None, others: ValidationInfo) -> float | None:
        if (bandwidth is None) == (others.data.get("dram") is None):
            raise ValueError("must be given if dram is not, and only then")
        return bandwidth

    @property
    def clock_hz(self) -> float:
        """Clock in hertz."""
        return self.clock_mhz * 1e6

    @property
    def dram_bytes_per_s(self) -> float:
        """Peak bandwidth of the external memory."""
        return self.dram.bytes_per_s if self.dram else (self.dram_gb_per_s or 0.0) * 1e9

    @property
    def dram_bits_per_cycle(self) -> float:
        """Peak bits the external memory moves in one clock cycle."""
        return self.dram_bytes_per_s * 8 / self.clock_hz

    @property
    def stream_capacity_bits(self) -> float:
        """What the largest memory on chip holds while operands stream."""
        return max((level.capacity_bits for level in self.stream_levels[1:]), default=0.0)

    def in_bursts(self, words: float, bits: float) -> float:
        """Words that the external memory moves for a run of ``words`` words of ``bits`` bits that starts at a burst."""
        if self.dram_burst_bytes is None:
            return words
        burst = 8 * self.dram_burst_bytes
        return math.ceil(words * bits / burst) * burst / bits

    @property
    def peak_operations_per_s(self) -> float:
        """Primitive operations per second with every processing element busy (wide operands)."""
        return self.elements * self.clock_hz

    @property
    @abstractmethod
    def elements(self) -> int:
        """Processing elements: primitive operations that start in one cycle (wide operands)."""

    @property
    @abstractmethod
    def narrow(self) -> NarrowMode | None:
        """What the array offers to narrow operands, or None."""

    @property
    @abstractmethod
    def buffer(self) -> str:
        """On-chip memory in words people read, with its unit."""

    @property
    @abstractmethod
    def vector_lanes(self) -> int:
        """Elementary operations per cycle of operators that are no contractions."""

    @property
    @abstractmethod
    def stream_levels(self) -> tuple[StreamLevel, ...]:
        """Memories that an operand passes when it is streamed once, from the external memory inwards."""
