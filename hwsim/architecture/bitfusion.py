"""A systolic array of fusion units whose multipliers split for narrow operands (BitFusion, ISCA 2018)."""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveInt, ValidationInfo, field_validator

from hwsim.architecture.base import Accelerator, NarrowMode, StreamLevel
from hwsim.architecture.systolic import Sram


class BitFusion(Accelerator):
    """``rows`` x ``columns`` fusion units; input channels spread over rows, output channels over columns."""

    kind: Literal["bitfusion"]
    rows: PositiveInt
    columns: PositiveInt
    max_bits: PositiveInt
    """Widest operand that a fusion unit takes."""
    min_bits: PositiveInt
    """Width of its smallest multiplier; narrower operands cost as much."""
    sram: Sram

    @field_validator("min_bits")
    @classmethod
    def _at_most_max_bits(cls, bits: int, others: ValidationInfo) -> int:
        if bits > others.data.get("max_bits", bits):
            raise ValueError(f"must be at most max_bits = {others.data['max_bits']}")
        return bits

    @property
    def elements(self) -> int:
        """Fusion units: products of the widest operands per cycle."""
        return self.rows * self.columns

    @property
    def narrow(self) -> NarrowMode | None:
        """Products of operands of ``min_bits``."""
        factor = self.max_bits // self.min_bits
        return NarrowMode(bits=self.min_bits, words_factor=factor, elements_factor=factor**2) if factor > 1 else None

    @property
    def buffer(self) -> str:
        """All memories in KiB."""
        return f"{self.sram.input_kib + self.sram.weight_kib + self.sram.output_kib:,g} KiB"

    @property
    def vector_lanes(self) -> int:
        """One lane under every column."""
        return self.columns

    @property
    def stream_levels(self) -> tuple[StreamLevel, ...]:
        """None: nothing is published about operators that are no contractions."""
        return ()
