"""Merging dimensions that no cost can tell apart, which shrinks a search without changing its optimum.

Two dimensions are alike when every operand depends on both or on neither, always as independent axes, and every
node treats them alike. Rows, columns and batch of a 1x1 convolution are; so are channels and kernel of one whose
stride is its kernel. Prime factors of alike dimensions are interchangeable: a tile of the merged dimension is a tile of
its parts with the same footprints, and the reverse, so a mapping of the merged problem maps back exactly.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace

from hwsim.mapping.hierarchy import Hierarchy, Node
from hwsim.mapping.mapping import PORTS, Loop, Mapping
from hwsim.mapping.problem import Axis, Problem


@dataclass(frozen=True)
class Canonical:
    """A problem and a hierarchy in normal form: equal forms have the same optimum, whatever they came from."""

    problem: Problem
    hierarchy: Hierarchy
    original: Problem
    parts: tuple[tuple[int, ...], ...]
    """For every dimension, those of the original."""

    def restore(self, mapping: Mapping) -> Mapping:
        """The same mapping in the dimensions of the original problem."""
        left = list(self.original.bounds)
        nodes = []
        for loops in reversed(mapping.loops):
            node: list[Loop] = []
            for name, size in reversed(loops):
                for part in reversed(self.parts[self.problem.names.index(name)]):
                    taken = math.gcd(size, left[part])
                    size, left[part] = size // taken, left[part] // taken
                    if taken > 1:
                        node.append((self.original.names[part], taken))
            nodes.append(tuple(reversed(node)))
        return Mapping(tuple(reversed(nodes)))


def canonical(problem: Problem, hierarchy: Hierarchy) -> Canonical:
    """Merge the alike dimensions of ``problem`` on ``hierarchy``."""
    relevant, coupled = problem.relevant, _coupled(problem)
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for dimension, name in enumerate(problem.names):
        alone = dimension if dimension in coupled else None
        groups[(*relevant[:, dimension], *_treatment(name, hierarchy), alone)].append(dimension)
    parts = tuple(tuple(groups[key]) for key in sorted(groups, key=str))
    position = {dimension: index for index, group in enumerate(parts) for dimension in group}
    bounds = tuple(math.prod(problem.bounds[dimension] for dimension in group) for group in parts)

    def merged(axes: tuple[Axis, ...]) -> Iterator[Axis]:
        free = set()
        for axis in axes:
            terms = tuple((position[dimension], step) for dimension, step in axis.terms)
            if any(dimension in coupled for dimension, _ in axis.terms):
                yield Axis(terms, axis.extent)
            else:
                free |= {index for index, _ in terms}
        yield from (Axis(((index, 1),), bounds[index]) for index in sorted(free))

    axes = tuple(tuple(sorted(merged(own), key=lambda axis: axis.terms)) for own in problem.axes)
    names = tuple(f"d{index}" for index in range(len(parts)))
    nodes = tuple(_renamed(node, names, [problem.names[group[0]] for group in parts]) for node in hierarchy.nodes)
    return Canonical(
        Problem(names, bounds, PORTS, axes), replace(hierarchy, name="", nodes=nodes), problem, parts
    )


def _renamed(node: Node, names: Sequence[str], originals: Sequence[str]) -> Node:
    if node.dimensions is None:
        return node
    accepted = (name for name, original in zip(names, originals, strict=True) if node.accepts(original))
    return replace(node, dimensions=frozenset(accepted))


def _treatment(name: str, hierarchy: Hierarchy) -> tuple[bool, ...]:
    """Which nodes accept loops over a dimension."""
    return tuple(node.accepts(name) for node in hierarchy.nodes)


def _coupled(problem: Problem) -> frozenset[int]:
    """Dimensions whose tiles do not simply multiply the words of every operand they belong to."""
    shared = [axis for axes in problem.axes for axis in axes if not _independent(axis, problem.bounds)]
    for axes in problem.axes:
        used = Counter(dimension for axis in axes for dimension, _ in axis.terms)
        shared += [axis for axis in axes if any(used[dimension] > 1 for dimension, _ in axis.terms)]
    coupled = frozenset(dimension for axis in shared for dimension, _ in axis.terms)
    while True:  # an axis is merged as a whole or not at all
        touched = [axis for axes in problem.axes for axis in axes if coupled & {d for d, _ in axis.terms}]
        grown = coupled.union(dimension for axis in touched for dimension, _ in axis.terms)
        if grown == coupled:
            return coupled
        coupled = grown


def _independent(axis: Axis, bounds: tuple[int, ...]) -> bool:
    """Whether tiles of the dimensions of ``axis`` touch as many elements as they have points, whatever their size."""
    covered = 1
    for dimension, step in sorted(axis.terms, key=lambda term: term[1]):
        if step < covered:
            return False
        covered *= bounds[dimension]
    return covered <= axis.extent
