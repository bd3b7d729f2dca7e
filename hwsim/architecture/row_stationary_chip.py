"""A row-stationary chip as it was built: the widths of its ports and networks, and memory traffic it cannot hide.

Where `RowStationary` follows an analytic simulator, this kind carries what decides the time that silicon takes: the
buses between global buffer and array, the loading of every processing pass, and compressed feature maps.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from hwsim.architecture.base import Accelerator, NarrowMode, StreamLevel
from hwsim.files import Frozen


class Scratchpads(Frozen):
    """Words that one processing element holds of each operand."""

    filter_words: PositiveInt
    input_words: PositiveInt
    psum_words: PositiveInt


class Ports(Frozen):
    """Bits per core cycle between the global buffer and the array."""

    filter_bits: PositiveInt
    input_bits: PositiveInt
    psum_bits: PositiveInt
    """In each direction: partial sums go in and come out at the same time."""


class RunLength(Frozen):
    """Run-length coding of zeros: a word holds ``entries`` pairs of a run of zeros and a non-zero value."""

    word_bits: PositiveInt
    entries: PositiveInt

    def bits_per_value(self, zeros: float, value_bits: int) -> float:
        """Mean bits of a value of which a share ``zeros`` is zero; values that would grow are stored as they are."""
        return min(float(value_bits), (1 - zeros) * self.word_bits / self.entries)


class RowStationaryChip(Accelerator):
    """``rows`` x ``columns`` processing elements; partial sums and inputs in the global buffer, filters streamed."""

    kind: Literal["row_stationary_chip"]
    rows: PositiveInt
    columns: PositiveInt
    word_bits: PositiveInt
    scratchpads: Scratchpads
    global_buffer_kib: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """For inputs and partial sums; filters pass through a buffer of their own."""
    ports: Ports
    run_length: RunLength
    """Coding of feature maps in the external memory, but for the first input of a network."""

    @property
    def elements(self) -> int:
        """Processing elements."""
        return self.rows * self.columns

    @property
    def narrow(self) -> NarrowMode | None:
        """None: operands have one width."""
        return None

    @property
    def buffer(self) -> str:
        """Global buffer in KiB."""
        return f"{self.global_buffer_kib:,g} KiB"

    @property
    def buffer_words(self) -> int:
        """Words of the global buffer."""
        return int(self.global_buffer_kib * 8192 // self.word_bits)

    @property
    def vector_lanes(self) -> int:
        """One per processing element."""
        return self.elements

    @property
    def stream_levels(self) -> tuple[StreamLevel, ...]:
        """None: nothing is published about operators that are no contractions."""
        return ()
