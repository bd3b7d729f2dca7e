"""All tiles of a problem, ordered by divisibility.

A tile is a divisor of every bound. Its flat index is the mixed-radix number of its prime exponents, so that indices
add where tiles multiply, and the first index is one point, the last the whole problem. What a search needs of a tile
(footprints, products of its extents) is computed once for all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, reduce

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import HwsimError
from hwsim.mapping.problem import Integers, Problem

MOST_POINTS = 2**60  # products of extents are 64-bit integers
MOST_TILES = 2**22  # about 1 GB

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Digit:
    """Exponent of one prime in one dimension as a digit of the flat index."""

    dimension: int
    prime: int
    size: int
    """One more than the greatest exponent."""
    stride: int


class Lattice:
    """Tiles of ``problem``.

    Attributes
    ----------
    tiles
        Extents of every tile, shape (count, dimensions).
    footprint
        Words of each operand, shape (count, 3).
    relevant, irrelevant
        Product of the extents that select elements of an operand, and of those that do not, shape (count, 3).
    points
        Product of all extents.
    """

    def __init__(self, problem: Problem) -> None:
        self.digits = _digits(problem)
        count = tile_count(problem.bounds)
        if problem.points > MOST_POINTS or count > MOST_TILES:
            raise HwsimError(
                f"operator has {problem.points:,} points and {count:,} tiles; a search takes up to "
                f"{MOST_POINTS:,} and {MOST_TILES:,}"
            )
        flat = np.arange(count)
        self.tiles = np.ones((count, len(problem.bounds)), np.int64)
        self.multiples = np.ones(count, np.int64)
        for digit in self.digits:
            exponent = flat // digit.stride % digit.size
            self.tiles[:, digit.dimension] *= digit.prime**exponent
            self.multiples *= digit.size - exponent
        mask = problem.relevant
        self.footprint = np.stack([problem.footprint(i, self.tiles) for i in range(3)], axis=-1).astype(np.float64)
        self.relevant = np.stack([self.tiles[:, mask[i]].prod(axis=1) for i in range(3)], axis=-1)
        self.irrelevant = np.stack([self.tiles[:, ~mask[i]].prod(axis=1) for i in range(3)], axis=-1)
        self.points = self.tiles.prod(axis=1)

    def __len__(self) -> int:
        return len(self.tiles)

    def expand(
        self, tiles: Integers, dimensions: Iterable[int], keep: Callable[[Integers, Integers], Flags]
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
        wanted = frozenset(dimensions)
        for digit in self.digits:
            if digit.dimension not in wanted:
                continue
            repeats = digit.size - grown // digit.stride % digit.size
            first = np.repeat(np.cumsum(repeats) - repeats, repeats)
            step = np.arange(len(first)) - first
            origin, grown = np.repeat(origin, repeats), np.repeat(grown, repeats) + step * digit.stride
            kept = keep(origin, grown)
            origin, grown = origin[kept], grown[kept]
        return origin, grown

    def least_of_multiples(self, values: Floats) -> Floats:
        """For every tile, the least of ``values``, shape (count, ...), over all its multiples, itself included."""
        least = np.array(values.reshape(len(self), -1).T, order="C")  # one metric after the other: long runs of memory
        for digit in self.digits:
            steps = least.reshape(-1, digit.size, digit.stride)
            for exponent in reversed(range(digit.size - 1)):
                np.minimum(steps[:, exponent], steps[:, exponent + 1], out=steps[:, exponent])
        return np.ascontiguousarray(least.T).reshape(values.shape)

    def greatest_quotient(self, values: Floats) -> Floats:
        """For every tile, the greatest of ``values`` over the factors that can still grow it."""
        # the factors of what is left are the complements, counted from the end, of the multiples
        return -self.least_of_multiples(-values[::-1])


def tile_count(bounds: Iterable[int]) -> int:
    """How many tiles a problem of these bounds has."""
    return math.prod(exponent + 1 for bound in bounds for exponent in factorized(bound).values())


def _digits(problem: Problem) -> list[Digit]:
    found: list[Digit] = []
    stride = 1
    for dimension in reversed(range(len(problem.bounds))):
        for prime, exponent in factorized(problem.bounds[dimension]).items():
            found.insert(0, Digit(dimension, prime, exponent + 1, stride))
            stride *= exponent + 1
    return found


@cache
def factorized(number: int) -> dict[int, int]:
    """Exponent of every prime of ``number``."""
    exponents: dict[int, int] = {}
    prime = 2
    while prime * prime <= number:
        while number % prime == 0:
            number //= prime
            exponents[prime] = exponents.get(prime, 0) + 1
        prime += 1 if prime == 2 else 2
    if number > 1:
        exponents[number] = exponents.get(number, 0) + 1
    return exponents


def greatest(values: Floats) -> Floats:
    """The greatest over axis 1, shape (n, few, ...); a reduction over a short axis would take many times as long."""
    return reduce(np.maximum, (values[:, column] for column in range(values.shape[1])))


def total(values: Floats) -> Floats:
    """The sum over axis 1, likewise."""
    return reduce(np.add, (values[:, column] for column in range(values.shape[1])))
