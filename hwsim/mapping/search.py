"""The best mapping of a contraction on a hierarchy, with a proof.

The search grows tiles from the compute unit outwards, node by node, and keeps many partial mappings at once in
arrays. Five facts make that affordable:

* Dimensions that no cost tells apart are one (`hwsim.mapping.canonical`).
* Between two memories only the choice of the operand that stays in place matters, not every order of loops.
* A tile that is executed costs the same wherever it lies, so everything inside a node is settled but for the
  reuse by the next loops outside.
* Of two partial mappings of one tile, one that is nowhere worse is enough (`hwsim.mapping.dominance`).
* What the memories outside will cost at least depends on the current tile alone (`hwsim.mapping.bounds`).

Narrow passes over every alternative give a mapping to beat (`hwsim.mapping.descent`); alternatives whose compulsory
cost (`hwsim.mapping.compulsory`) does not beat it are not searched at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from hwsim.errors import HwsimError, NoMappingError
from hwsim.mapping.canonical import canonical
from hwsim.mapping.compulsory import least_value
from hwsim.mapping.descent import TIE, Descent
from hwsim.mapping.hierarchy import Hierarchy
from hwsim.mapping.lattice import Lattice, factorized
from hwsim.mapping.mapping import Cost, Mapping, check_memory, check_pool, evaluate
from hwsim.mapping.objective import ENERGY, Objective
from hwsim.mapping.padding import padded
from hwsim.mapping.problem import Problem
from hwsim.mapping.setting import Setting

BEAMS = (32,)  # partial mappings per node that the first passes keep


@dataclass(frozen=True)
class Certificate:
    """Why no mapping is better: every mapping of the space was priced, or cannot be better, or does not fit."""

    space: int
    """Mappings of all alternatives before any limit: factorizations of every dimension times operands kept in place."""
    alternatives: int
    """Choices of which operands pass by which memories, of ports, and of padding."""
    padded: int
    """Of those, operators with bounds rounded up."""
    unsearched: int
    """Of all, those whose compulsory cost reached the best mapping before any of their mappings was priced."""
    visited: int
    """Partial and whole mappings that were priced."""
    bounded: int
    """Of those, partial mappings dropped because their lower bound reached the best mapping."""
    dominated: int
    """Of those, partial mappings dropped because another one of the same tile is nowhere worse."""


@dataclass(frozen=True)
class Found:
    """A mapping with its cost, and the proof if a search found it."""

    problem: Problem
    """The one that the loops cover, bounds rounded up if they are padded."""
    hierarchy: Hierarchy
    mapping: Mapping
    cost: Cost
    certificate: Certificate | None = None
    """None for a mapping written by hand."""
    alternative: int = 0
    """Which of the alternatives that were given to the search it belongs to."""


Alternative = tuple[Problem, Hierarchy]


@dataclass(frozen=True)
class Optimum:
    """The best mapping over alternatives in normal form."""

    alternative: int
    mapping: Mapping
    unsearched: int
    visited: int
    bounded: int
    dominated: int


def search(problem: Problem, hierarchy: Hierarchy, objective: Objective = ENERGY, *, padding: bool = False) -> Found:
    """Return a mapping of the least objective; see `best_of`."""
    return best_of([(problem, hierarchy)], objective, padding=padding)


def best_of(alternatives: Sequence[Alternative], objective: Objective = ENERGY, *, padding: bool = False) -> Found:
    """Return the best mapping over alternatives, such as choices of which memory an operand passes by.

    Parameters
    ----------
    padding
        Search the padded operators of `hwsim.mapping.padding` too.

    Raises
    ------
    NoMappingError
        If no mapping fits any of them; the message names a memory that cannot hold a single point, if there is one.
    """
    space = [*enumerate(alternatives)]
    if padding:
        space += [
            (index, (larger, hierarchy))
            for index, (problem, hierarchy) in enumerate(alternatives)
            for larger in padded(problem, hierarchy, objective)
        ]
    forms = [canonical(problem, hierarchy) for _, (problem, hierarchy) in space]
    best = optimum(tuple((form.problem, form.hierarchy) for form in forms), objective)
    if best is None:
        raise NoMappingError(f"no mapping fits {alternatives[0][1].name}: {_why_none(*alternatives[-1])}")
    index, (problem, hierarchy) = space[best.alternative]
    mapping = forms[best.alternative].restore(best.mapping)
    return Found(
        problem, hierarchy, mapping, evaluate(mapping, problem, hierarchy),
        Certificate(
            sum(_space(*alternative) for _, alternative in space), len(space), len(space) - len(alternatives),
            best.unsearched, best.visited, best.bounded, best.dominated,
        ),
        index,
    )  # fmt: skip


@lru_cache(maxsize=4096)
def optimum(alternatives: tuple[Alternative, ...], objective: Objective) -> Optimum | None:
    """Search alternatives in normal form, the most promising first; None if nothing fits any of them."""
    least = [least_value(problem, hierarchy, objective) for problem, hierarchy in alternatives]
    lattices: dict[Problem, Lattice] = {}
    searches: dict[int, Descent] = {}
    value, best, mapping = math.inf, -1, None
    for beam in (*BEAMS, None):
        for index in sorted(range(len(alternatives)), key=lambda index: (index != best, least[index])):
            if least[index] >= value * TIE:
                continue
            problem, hierarchy = alternatives[index]
            if problem not in lattices:
                lattices[problem] = Lattice(problem)
            if index not in searches:
                searches[index] = Descent(Setting(problem, hierarchy, objective, lattices[problem]))
            one = searches[index]
            if one.run(value, beam):
                value, best, mapping = one.value, index, one.mapping
    if mapping is None:
        return None
    visited, bounded, dominated = (
        sum(getattr(one, name) for one in searches.values()) for name in ("visited", "bounded", "dominated")
    )
    return Optimum(best, mapping, len(alternatives) - len(searches), visited, bounded, dominated)


def _space(problem: Problem, hierarchy: Hierarchy) -> int:
    nodes = len(hierarchy.nodes)
    orders: int = 3 ** len(hierarchy.memories)
    return orders * math.prod(
        math.comb(exponent + nodes - 1, nodes - 1)
        for bound in problem.bounds
        for exponent in factorized(bound).values()
    )


def _why_none(problem: Problem, hierarchy: Hierarchy) -> str:
    """What a single point lacks: the first memory from outside that cannot hold it, and by how much."""
    point = [1] * len(problem.bounds)
    try:
        for k in hierarchy.memories:
            check_memory(hierarchy.memory(k), problem, point)
        check_pool(hierarchy, problem, [point] * len(hierarchy.pool))
    except HwsimError as error:
        return f"{error}, for a single point"
    return "the constraints on loops leave none"
