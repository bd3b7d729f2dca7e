"""Dimensions that may change places: rows with columns of a square image together with those of its kernel.

A mapping and its mirror image cost the same, so that a search needs only one of them.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator

import numpy as np

from hwsim.mapping.hierarchy import Hierarchy
from hwsim.mapping.lattice import Lattice
from hwsim.mapping.problem import Axis, Integers, Problem


def mirrored(problem: Problem, hierarchy: Hierarchy, lattice: Lattice) -> Integers:
    """Flat index of the mirror image of every tile of ``lattice``; the tile itself if nothing may change places."""
    order = next(_exchanges(problem, hierarchy), tuple(range(len(problem.bounds))))
    strides = {(digit.dimension, digit.prime): digit.stride for digit in lattice.digits}
    image = np.zeros(len(lattice), np.int64)
    for digit in lattice.digits:
        exponent = np.arange(len(lattice)) // digit.stride % digit.size
        image += exponent * strides[order[digit.dimension], digit.prime]
    return image


def _exchanges(problem: Problem, hierarchy: Hierarchy) -> Iterator[tuple[int, ...]]:
    """Orders of the dimensions that exchange some pairs and leave the problem and its treatment as they are."""
    pairs = [
        (one, other)
        for one, other in itertools.combinations(range(len(problem.bounds)), 2)
        if problem.bounds[one] == problem.bounds[other]
        and all(node.accepts(problem.names[one]) == node.accepts(problem.names[other]) for node in hierarchy.nodes)
    ]
    for count in range(1, len(problem.bounds) // 2 + 1):
        for chosen in itertools.combinations(pairs, count):
            order = list(range(len(problem.bounds)))
            for one, other in chosen:
                order[one], order[other] = other, one
            disjoint = len({dimension for pair in chosen for dimension in pair}) == 2 * count
            if disjoint and all(_axes(axes, order) == _axes(axes) for axes in problem.axes):
                yield tuple(order)


def _axes(axes: tuple[Axis, ...], order: list[int] | None = None) -> Counter[tuple[frozenset[tuple[int, int]], int]]:
    """Axes of an operand, in no order, with its dimensions renumbered."""
    return Counter(
        (frozenset((order[dimension] if order else dimension, step) for dimension, step in axis.terms), axis.extent)
        for axis in axes
    )
