"""Post-processor: from sums to activations, in exact integers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from amaranth.hdl import Shape, ShapeCastable, signed
from amaranth.lib import data
from numpy.typing import NDArray
from pydantic import Field

from hwsim import formats
from hwsim.files import Frozen
from rtl import shapes
from rtl.control.command import Post

if TYPE_CHECKING:
    from rtl.post.pipeline import Pipeline

MULTIPLIER_BITS = 16


class PostProcessor(Frozen):
    """Biases, scales, rounds and clips a row of sums per cycle.

    ``clip(round_half_even(((sum + bias) * multiplier + residual * residual_multiplier) / 2**shift), low, high)``; no
    step of it wraps.

    Attributes
    ----------
    columns
        Sums of a row.
    sum_bits
        Width of a sum and of a bias.
    activations
        Format of what comes out, and of the residual.
    """

    columns: Annotated[int, Field(ge=1, le=64)] = 8
    sum_bits: Annotated[int, Field(ge=2, le=40)] = 32
    activations: str = "int8"

    @property
    def latency(self) -> int:
        """Cycles from a row with its parameters and residual to its activations: nine stages of registers."""
        return 9

    @property
    def activation_shape(self) -> Shape:
        """Shape of an activation."""
        return Shape.cast(shapes.shape(self.activations))

    @property
    def scaled_bits(self) -> int:
        """Width of what is shifted: the scaled sum and the scaled residual together."""
        residual = formats.parse(self.activations).bits + 1 + MULTIPLIER_BITS
        return max(self.sum_bits + 1 + MULTIPLIER_BITS, residual) + 1

    @property
    def parameter_layout(self) -> data.StructLayout:
        """Word of parameters: all biases, then all multipliers."""
        columns: dict[str, ShapeCastable] = {
            "biases": data.ArrayLayout(signed(self.sum_bits), self.columns),
            "multipliers": data.ArrayLayout(signed(MULTIPLIER_BITS), self.columns),
        }
        return data.StructLayout(columns)

    def compute(
        self,
        sums: NDArray[Any],
        biases: NDArray[Any],
        multipliers: NDArray[Any],
        residual: NDArray[Any] | int,
        post: Post,
    ) -> NDArray[Any]:
        """Return the activations, of the shape of ``sums``; the other operands are broadcast against it."""
        scaled = (sums + biases) * multipliers + np.asarray(residual, np.int64) * post.residual_multiplier
        return np.asarray(np.clip(round_half_even(scaled, post.shift), post.low, post.high))

    def create(self) -> Pipeline:
        """Return the hardware."""
        from rtl.post.pipeline import Pipeline

        return Pipeline(self)


def round_half_even(values: NDArray[Any], shift: int) -> NDArray[Any]:
    """Return ``values / 2**shift`` rounded to the nearest integer, ties to the even one."""
    if shift == 0:
        return values
    floor, rest, half = values >> shift, values & ((1 << shift) - 1), 1 << (shift - 1)
    return np.asarray(floor + ((rest > half) | ((rest == half) & (floor & 1 == 1))))
