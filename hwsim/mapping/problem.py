"""A contraction as the mapper sees it: bounds, relevance of dimensions to operands, footprints of tiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import HwsimError
from hwsim.workload.operator import MAIN_OPERANDS, Operator, affine

Integers = NDArray[np.int64]


RESULT = 2
"""Position of the result among the operands."""


@dataclass(frozen=True)
class Axis:
    """One tensor axis: the dimensions that index it with their steps, and its true extent."""

    terms: tuple[tuple[int, int], ...]
    """(dimension, step) pairs."""
    extent: int


@dataclass(frozen=True)
class Problem:
    """Bounds, operands and their axes.

    Operands are in the order of the ports of a compute unit: two factors, then the result. In a forward product
    these are input, weight and output; in a gradient they are other operands of the same einsum.
    """

    names: tuple[str, ...]
    bounds: tuple[int, ...]
    operands: tuple[str, str, str]
    """Their names in the operator."""
    axes: tuple[tuple[Axis, ...], ...]

    result = RESULT

    @cached_property
    def relevant(self) -> NDArray[np.bool_]:
        """Whether a dimension selects elements of an operand, shape (operands, dimensions)."""
        mask = np.zeros((len(self.axes), len(self.bounds)), bool)
        for operand, axes in enumerate(self.axes):
            for axis in axes:
                mask[operand, [dimension for dimension, _ in axis.terms]] = True
        return mask

    @property
    def points(self) -> int:
        """Size of the iteration space."""
        return math.prod(self.bounds)

    def padded(self, bounds: tuple[int, ...]) -> Problem:
        """The same operands with loops that run beyond them, to ``bounds``.

        Raises
        ------
        HwsimError
            If they do not cover the own bounds.
        """
        for name, bound, larger in zip(self.names, self.bounds, bounds, strict=True):
            if larger < bound:
                raise HwsimError(f"dimension {name} must be padded to {bound} or more, not {larger}")
        return replace(self, bounds=bounds)

    def footprint(self, operand: int, tiles: Integers) -> Integers:
        """Words of ``operand`` that each tile touches; ``tiles`` has shape (..., dimensions)."""
        words = np.ones(tiles.shape[:-1], np.int64)
        for axis in self.axes[operand]:
            span = np.ones(tiles.shape[:-1], np.int64)
            points = np.ones(tiles.shape[:-1], np.int64)
            for dimension, step in axis.terms:
                span += step * (tiles[..., dimension] - 1)
                points *= tiles[..., dimension]
            # strides beyond the kernel skip elements; padding is never fetched
            words *= np.minimum(np.minimum(span, points), axis.extent)
        return words

    def words(self, operand: int, tile: Sequence[int]) -> int:
        """`footprint` of one tile, many times faster than of an array of one."""
        words = 1
        for axis in self.axes[operand]:
            span = 1 + sum(step * (tile[dimension] - 1) for dimension, step in axis.terms)
            points = math.prod(tile[dimension] for dimension, _ in axis.terms)
            words *= min(span, points, axis.extent)
        return words

    def total(self, operand: int) -> int:
        """Words of ``operand`` that the whole iteration space touches."""
        return self.words(operand, self.bounds)


def problem_of(operator: Operator, *, exchanged: bool = False) -> Problem:
    """Return ``operator`` as a problem without its dimensions of size 1.

    Parameters
    ----------
    exchanged
        Take the second factor to the first port and the first to the second.

    Raises
    ------
    HwsimError
        If a dimension belongs to fewer than two operands, for which stationarity is not a choice of one operand.
    """
    names = tuple(name for name, size in operator.dims.items() if size > 1)
    position = {name: index for index, name in enumerate(names)}
    factors = [name for name in MAIN_OPERANDS if name != operator.written.name]
    first, second = reversed(factors) if exchanged ^ (operator.written.name == "input") else factors
    operands = (first, second, operator.written.name)
    axes = []
    for operand in (operator.operand(name) for name in operands):
        described = []
        for expression, extent in zip(operand.projection, operand.shape, strict=True):
            terms = affine(expression).items()
            described.append(Axis(tuple((position[d], step) for d, step in terms if d in position), extent))
        axes.append(tuple(described))
    problem = Problem(names, tuple(operator.dims[name] for name in names), operands, tuple(axes))
    for name, operands in zip(names, problem.relevant.sum(axis=0), strict=True):
        if operands < 2:
            raise HwsimError(f"dimension {name} must belong to at least two operands, not {operands}")
    return problem
