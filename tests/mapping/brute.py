"""Every mapping of a small problem, one at a time, priced with the reference model."""

import itertools
import math

from hwsim.errors import HwsimError
from hwsim.mapping.hierarchy import Array
from hwsim.mapping.mapping import Mapping, evaluate


def splits(number, parts):
    if parts == 1:
        return [(number,)]
    return [(d, *rest) for d in range(1, number + 1) if number % d == 0 for rest in splits(number // d, parts - 1)]


def orders(trips, spatial):
    """All orders of the non-trivial loops of a node; order means nothing in space."""
    loops = [loop for loop in trips if loop[1] > 1]
    return [tuple(loops)] if spatial else list(itertools.permutations(loops))


def mappings(problem, hierarchy):
    nodes = len(hierarchy.nodes)
    for factors in itertools.product(*(splits(bound, nodes) for bound in problem.bounds)):
        per_node = [
            orders([(name, factor[k]) for name, factor in zip(problem.names, factors, strict=True)],
                   isinstance(hierarchy.nodes[k], Array))
            for k in range(nodes)
        ]  # fmt: skip
        for loops in itertools.product(*per_node):
            yield Mapping(loops)


def best(problem, hierarchy, value):
    """Least ``value`` of a cost over every mapping, infinity if none is legal."""
    least = math.inf
    for mapping in mappings(problem, hierarchy):
        try:
            cost = evaluate(mapping, problem, hierarchy)
        except HwsimError:
            continue
        least = min(least, value(cost))
    return least
