"""A systolic array with one memory per operand: TPU, Gemmini, whatever SCALE-Sim describes."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import PositiveInt

from hwsim.architecture.base import Accelerator, NarrowMode, Positive, StreamLevel
from hwsim.files import Frozen
from hwsim.workload.operator import Primitive

Dataflow = Literal["os", "ws", "is"]
"""What stays in the array: outputs, weights (the second factor) or inputs (the first)."""

SRAM_BITS_PER_KIB = 8 * 1024


class Sram(Frozen):
    """On-chip memories in KiB: of the first factor, the second factor and the sums."""

    input_kib: Positive
    weight_kib: Positive
    output_kib: Positive


class Systolic(Accelerator):
    """A grid of multiply-accumulate elements through which operands march one element per cycle."""

    kind: Literal["systolic"]
    rows: PositiveInt
    columns: PositiveInt
    dataflow: Dataflow
    sram: Sram
    primitives: tuple[Primitive, ...] = ("mac",)
    """What an element computes."""

    @property
    def elements(self) -> int:
        """Elements of the array."""
        return self.rows * self.columns

    @property
    def narrow(self) -> NarrowMode | None:
        """None: an element does one operation per cycle at any width."""
        return None

    @property
    def buffer(self) -> str:
        """All memories in KiB."""
        return f"{self.sram.input_kib + self.sram.weight_kib + self.sram.output_kib:,g} KiB"

    @property
    def vector_lanes(self) -> int:
        """One lane under every column does what is no contraction."""
        return self.columns

    @property
    def stream_levels(self) -> tuple[StreamLevel, ...]:
        """External memory and SRAM: the lanes lie outside the array."""
        kib = self.sram.input_kib + self.sram.weight_kib + self.sram.output_kib
        return (
            StreamLevel("dram", "dram", math.inf),
            StreamLevel("global_buffer", "global_buffer", kib * SRAM_BITS_PER_KIB),
        )
