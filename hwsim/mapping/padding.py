"""Operators rounded up until their factors fill the arrays: the padded part of the space of mappings.

A padded mapping of an operator is a perfect mapping of the same operator with some bounds rounded up. Its loops run
beyond the operands; nothing beyond them exists, but the points there take their cycles, their operations and their
accesses like all others.

Spreading a dimension of N points over f instances takes ceil(N / f) passes, so the bounds that can help to fill an
array are f * ceil(N / f); a dimension without a factor that fits an array has no other way to use it. The fan-outs f
tried are the divisors of the product of the arrays that may spread the dimension, and no more dimensions are padded
at once than there are arrays. Of the combinations that can finish in fewer cycles than any perfect mapping, the space
holds two: the one with the fewest cycles, and of those within `SLACK` of them the one with the most tiles, whose
temporal loops are the freest; the latter alone where latency does not count. (Twice as many gain 1 % more on
whole networks and take up to twice the time of a search.)
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache

from hwsim.mapping.filling import Fans, fans_of, most_instances
from hwsim.mapping.hierarchy import Hierarchy
from hwsim.mapping.lattice import MOST_TILES, tile_count
from hwsim.mapping.objective import Objective
from hwsim.mapping.problem import Problem

SLACK = 1 / 64
"""How many more cycles than the fewest the padded operator with the most tiles may take."""
Bounds = tuple[int, ...]


def padded(problem: Problem, hierarchy: Hierarchy, objective: Objective) -> list[Problem]:
    """``problem`` with its bounds rounded up in every way that the space holds, without the one that pads nothing."""
    every = padded_bounds(problem.bounds, fans_of(hierarchy, problem.names))
    return [problem.padded(bounds) for bounds in (every if objective.latency else every[-1:])]


@lru_cache(maxsize=4096)
def padded_bounds(bounds: Bounds, fans: Fans) -> tuple[Bounds, ...]:
    """Bounds rounded up for the fewest cycles, then those for the most tiles if they are others."""
    instances = math.prod(size for size, _ in fans)
    limit = math.prod(bounds) / most_instances(bounds, fans)
    quick: list[tuple[float, Bounds]] = []
    for points, candidate in _combinations(bounds, fans, limit * instances):
        if points / instances >= limit:
            break
        cycles = points / most_instances(candidate, fans)
        if cycles < limit and tile_count(candidate) <= MOST_TILES:
            quick.append((cycles, candidate))
            limit = min(limit, cycles * (1 + SLACK))
    if not quick:
        return ()
    near = [(-tile_count(candidate), cycles, candidate) for cycles, candidate in quick if cycles < limit]
    return tuple(dict.fromkeys((min(quick)[1], min(near)[2])))


def _combinations(bounds: Bounds, fans: Fans, most_points: float) -> list[tuple[int, Bounds]]:
    """Bounds with some dimensions rounded up and fewer than ``most_points`` points, which come first; by points."""
    rounded = [_rounded(bound, position, fans) for position, bound in enumerate(bounds)]
    found = set()
    for count in range(1, len(fans) + 1):
        for chosen in itertools.combinations([d for d, options in enumerate(rounded) if options], count):
            for options in itertools.product(*(rounded[dimension] for dimension in chosen)):
                candidate = list(bounds)
                for dimension, bound in zip(chosen, options, strict=True):
                    candidate[dimension] = bound
                points = math.prod(candidate)
                if points < most_points:
                    found.add((points, tuple(candidate)))
    return sorted(found)


def _rounded(bound: int, dimension: int, fans: Fans) -> list[int]:
    """What ``bound`` is rounded up to for the fan-outs that may spread its dimension."""
    fan = math.prod(size for size, accepted in fans if accepted[dimension])
    factors = (factor for factor in range(2, min(fan, bound) + 1) if fan % factor == 0)
    return sorted({-(-bound // factor) * factor for factor in factors} - {bound})
