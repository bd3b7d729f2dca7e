"""All tiles of a problem: the product of the divisors of its bounds, ordered by divisibility.

A tile is one flat index. What a search needs of a tile (footprints, products of its extents) is computed once for
all of them; the multiples of a tile are enumerated dimension by dimension.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hwsim.mapping.problem import Integers, Problem

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Lattice:
    """Tiles of ``problem``.

    Attributes
    ----------
    ladders
        Divisors of each bound, ascending.
    tiles
        Extents of every tile, shape (count, dimensions); the last is the whole problem, the first is one point.
    footprint
        Words of each operand, shape (count, 3).
    relevant, irrelevant
        Product of the extents that select elements of an operand, and of those that do not, shape (count, 3).
    points
        Product of all extents.
    """

    def __init__(self, problem: Problem) -> None:
        self.ladders = [np.array([d for d in range(1, b + 1) if b % d == 0], np.int64) for b in problem.bounds]
        sizes = [len(ladder) for ladder in self.ladders]
        self.strides = [math.prod(sizes[position + 1 :]) for position in range(len(sizes))]
        grids = np.meshgrid(*self.ladders, indexing="ij") if sizes else [np.ones(1, np.int64)]
        self.tiles = np.stack([grid.ravel() for grid in grids], axis=-1) if sizes else np.ones((1, 0), np.int64)
        mask = problem.relevant
        self.footprint = np.stack([problem.footprint(i, self.tiles) for i in range(3)], axis=-1).astype(np.float64)
        self.relevant = np.stack([self.tiles[:, mask[i]].prod(axis=1) for i in range(3)], axis=-1)
        self.irrelevant = np.stack([self.tiles[:, ~mask[i]].prod(axis=1) for i in range(3)], axis=-1)
        self.points = self.tiles.prod(axis=1)
        self._multiples = [_multiples(ladder) for ladder in self.ladders]

    def __len__(self) -> int:
        return len(self.tiles)

    def expand(
        self, tiles: Integers, dimensions: list[int], keep: Callable[[Integers, Integers], Flags]
    ) -> tuple[Integers, Integers]:
        """All multiples of ``tiles`` along ``dimensions`` that pass ``keep``.

        Parameters
        ----------
        keep
            Called with the positions in ``tiles`` and the partly grown tiles; must never accept a tile after
            refusing a divisor of it.

        Returns
        -------
        Positions in ``tiles`` and their multiples, as two arrays of one length.
        """
        origin, grown = np.arange(len(tiles)), tiles
        for dimension in dimensions:
            starts, counts, targets = self._multiples[dimension]
            rung = grown // self.strides[dimension] % len(self.ladders[dimension])
            repeats = counts[rung]
            first = np.repeat(np.cumsum(repeats) - repeats, repeats)
            choice = np.repeat(starts[rung], repeats) + np.arange(len(first)) - first
            step = targets[choice] - np.repeat(rung, repeats)
            origin, grown = np.repeat(origin, repeats), np.repeat(grown, repeats) + step * self.strides[dimension]
            kept = keep(origin, grown)
            origin, grown = origin[kept], grown[kept]
        return origin, grown

    def scaled(self, tiles: Integers, inside: Integers, outside: Integers) -> Integers:
        """Each of ``tiles`` grown by the factors between ``inside`` and ``outside``, which it divides."""
        extents = self.tiles[tiles] * (self.tiles[outside] // self.tiles[inside])
        flat = np.zeros(len(tiles), np.int64)
        for dimension, (ladder, stride) in enumerate(zip(self.ladders, self.strides, strict=True)):
            flat += np.searchsorted(ladder, extents[:, dimension]) * stride
        return flat

    def least_of_multiples(self, values: Floats) -> Floats:
        """For every tile, the least of ``values`` over all its multiples, itself included."""
        shape = [len(ladder) for ladder in self.ladders]
        least = values.reshape(shape) if shape else values
        for dimension, ladder in enumerate(self.ladders):
            moved = np.moveaxis(least, dimension, 0)
            divides = ladder[None, :] % ladder[:, None] == 0
            moved = np.stack([moved[row].min(axis=0) for row in divides])
            least = np.moveaxis(moved, 0, dimension)
        return least.reshape(values.shape)


def _multiples(ladder: Integers) -> tuple[Integers, Integers, Integers]:
    rows = [np.flatnonzero(ladder % divisor == 0) for divisor in ladder]
    counts = np.array([len(row) for row in rows], np.int64)
    return np.cumsum(counts) - counts, counts, np.concatenate(rows)
