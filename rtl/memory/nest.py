"""A loop nest that walks a memory: what an address generator is programmed with, and what it must do."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from hwsim.files import Frozen

Count = Annotated[int, Field(ge=1)]


class Coordinate(Frozen):
    """A place along one axis of a padded tensor: ``start + sum(index * stride)``; outside ``0 .. size - 1`` is padding.

    Attributes
    ----------
    start
        At the first step.
    strides
        Per loop of the nest, outermost first.
    size
        Extent of the axis.
    """

    start: int
    strides: tuple[int, ...]
    size: Count


class Nest(Frozen):
    """Nested loops; each step of the innermost one is an address, or padding.

    The address is ``start + sum(index * stride)``. A step is *inside* where every coordinate is; elsewhere the memory
    is not read and the value is zero.

    Attributes
    ----------
    counts
        Iterations of each loop, outermost first.
    strides
        What an iteration of each loop adds to the address.
    start
        Address of the first step; like those of padding, it need not exist.
    coordinates
        What decides about padding.
    inner
        How many of the innermost loops make up one sum; its first and last steps are marked.
    """

    counts: Annotated[tuple[Count, ...], Field(min_length=1)]
    strides: tuple[int, ...]
    start: int = 0
    coordinates: tuple[Coordinate, ...] = ()
    inner: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _one_stride_per_loop(self) -> Nest:
        for strides in (self.strides, *(coordinate.strides for coordinate in self.coordinates)):
            if len(strides) != len(self.counts):
                raise ValueError(f"strides must be one per loop of {len(self.counts)}")
        if self.inner > len(self.counts):
            raise ValueError(f"inner must be at most the {len(self.counts)} loops")
        return self

    @property
    def steps(self) -> int:
        """Addresses and paddings in all."""
        return int(np.prod(self.counts, dtype=np.int64))

    def increments(self, strides: tuple[int, ...]) -> tuple[int, ...]:
        """Return per loop what its advance adds to a sum of strides, when all loops inside it start again."""
        rewinds = [(count - 1) * stride for count, stride in zip(self.counts, strides, strict=True)]
        return tuple(stride - sum(rewinds[loop + 1 :]) for loop, stride in enumerate(strides))

    def address_range(self) -> tuple[int, int] | None:
        """Return the least and the greatest address of the steps inside; None if all are padding.

        Only loops that move a coordinate are walked; the others shift what is inside as a whole.
        """
        moving = [any(coordinate.strides[loop] for coordinate in self.coordinates) for loop in range(len(self.counts))]
        still = zip(self.counts, self.strides, moving, strict=True)
        reach = [(count - 1) * stride for count, stride, moves in still if not moves]
        counts = tuple(count if moves else 1 for count, moves in zip(self.counts, moving, strict=True))
        steps = self.model_copy(update={"counts": counts}).compute()
        addresses = steps["address"][steps["inside"]]
        if not len(addresses):
            return None
        low, high = sum(min(step, 0) for step in reach), sum(max(step, 0) for step in reach)
        return int(addresses.min()) + low, int(addresses.max()) + high

    def compute(self) -> dict[str, NDArray[Any]]:
        """Return ``address`` (integers), ``inside``, ``first`` and ``last`` (booleans), all of shape ``(steps,)``."""
        index = np.indices(self.counts).reshape(len(self.counts), -1)
        summed = index[len(self.counts) - self.inner :]
        ends = np.array(self.counts[len(self.counts) - self.inner :]).reshape(-1, 1) - 1
        inside = np.ones(self.steps, bool)
        for coordinate in self.coordinates:
            place = coordinate.start + np.array(coordinate.strides) @ index
            inside &= (place >= 0) & (place < coordinate.size)
        return {
            "address": self.start + np.array(self.strides) @ index,
            "inside": inside,
            "first": (summed == 0).all(axis=0),
            "last": (summed == ends).all(axis=0),
        }
