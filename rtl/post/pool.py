"""Pooling: the maximum or the sum of words, lane by lane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from amaranth.hdl import Shape
from numpy.typing import NDArray
from pydantic import Field

from hwsim.files import Frozen
from rtl import shapes
from rtl.pe.element import wrap

if TYPE_CHECKING:
    from rtl.post.pooling import PoolUnit


class Pool(Frozen):
    """Reduces the words of a window, one per cycle, and hands the result on in slices.

    Words outside the tensor do not count: of the maximum they are the least value of the format, of the sum zero.

    Attributes
    ----------
    slices, columns
        A word has ``slices * columns`` lanes; the results leave ``columns`` lanes at a time.
    activations
        Format of a lane.
    sum_bits
        Width of a result; sums wrap.
    """

    slices: Annotated[int, Field(ge=1, le=64)] = 1
    columns: Annotated[int, Field(ge=1, le=64)] = 8
    activations: str = "int8"
    sum_bits: Annotated[int, Field(ge=2, le=40)] = 32

    @property
    def lanes(self) -> int:
        """Lanes of a word."""
        return self.slices * self.columns

    @property
    def activation_shape(self) -> Shape:
        """Shape of a lane."""
        return Shape.cast(shapes.shape(self.activations))

    @property
    def least(self) -> int:
        """The least value of the format."""
        return -(1 << (self.activation_shape.width - 1)) if self.activation_shape.signed else 0

    def compute(self, words: NDArray[Any], inside: NDArray[Any], maximum: bool) -> NDArray[Any]:
        """Return the rows of results, of shape ``(windows * slices, columns)``.

        Parameters
        ----------
        words
            Activations of shape ``(windows, words of a window, lanes)``.
        inside
            Booleans of shape ``(windows, words of a window)``: which of them are in the tensor.
        """
        counted = np.where(inside[..., None], words, self.least if maximum else 0)
        pooled = counted.max(axis=1) if maximum else wrap(counted.sum(axis=1), self.sum_bits)
        return pooled.reshape(-1, self.columns)

    def create(self) -> PoolUnit:
        """Return the hardware."""
        from rtl.post.pooling import PoolUnit

        return PoolUnit(self)
