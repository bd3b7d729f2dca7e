"""A row-stationary array of processing elements with its memories, in the manner of Eyeriss."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import PositiveInt

from hwsim.architecture.base import Accelerator, NarrowMode, StreamLevel
from hwsim.files import Frozen

WORD_BITS = 32
"""Width of the words that sizes count."""


class RegisterFile(Frozen):
    """Words that one processing element holds of each operand."""

    input_words: PositiveInt
    weight_words: PositiveInt
    output_words: PositiveInt


class RowStationary(Accelerator):
    """A row-stationary accelerator in the manner of Eyeriss."""

    kind: Literal["row_stationary"] = "row_stationary"
    processing_elements: PositiveInt
    register_file: RegisterFile
    global_buffer_words: PositiveInt
    narrow_mode: NarrowMode | None = None

    @property
    def elements(self) -> int:
        """Processing elements."""
        return self.processing_elements

    @property
    def narrow(self) -> NarrowMode | None:
        """What the array offers to narrow operands, or None."""
        return self.narrow_mode

    @property
    def buffer(self) -> str:
        """Global buffer in words."""
        return f"{self.global_buffer_words:,} words"

    @property
    def vector_lanes(self) -> int:
        """Every processing element does one elementary operation per cycle."""
        return self.processing_elements

    @property
    def stream_levels(self) -> tuple[StreamLevel, ...]:
        """All levels: the array itself computes what is no contraction."""
        return (
            StreamLevel("dram", "dram", math.inf),
            StreamLevel("global_buffer", "global_buffer", self.global_buffer_words * WORD_BITS),
            StreamLevel("network", "network"),
            StreamLevel("register_file", "register_file"),
        )
