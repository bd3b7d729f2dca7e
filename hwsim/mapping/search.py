"""The best mapping of a contraction on a hierarchy, with a proof.

The search grows tiles from the compute unit outwards, node by node, and keeps many partial mappings at once in
arrays. Five facts make that affordable:

* Dimensions that no cost tells apart are one (`hwsim.mapping.canonical`).
* Between two memories only the choice of the operand that stays in place matters, not every order of loops.
* A tile that is executed costs the same wherever it lies, so everything inside a node is settled but for the
  reuse by the next loops outside.
* Of two partial mappings of one tile, one that is nowhere worse is enough (`hwsim.mapping.dominance`).
* What the memories outside will cost at least depends on the current tile alone (`hwsim.mapping.bounds`).

Narrow passes over every alternative give a mapping to beat (`hwsim.mapping.descent`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from hwsim.errors import HwsimError, NoMappingError
from hwsim.mapping.canonical import canonical
from hwsim.mapping.descent import Descent
from hwsim.mapping.hierarchy import Hierarchy
from hwsim.mapping.lattice import Lattice, factorized
from hwsim.mapping.mapping import Cost, Mapping, check_memory, evaluate
from hwsim.mapping.objective import ENERGY, Objective
from hwsim.mapping.problem import Problem
from hwsim.mapping.setting import Setting

BEAMS = (32,)  # partial mappings per node that the first passes keep


@dataclass(frozen=True)
class Certificate:
    """Why no mapping is better: every mapping of the space was priced, or cannot be better, or does not fit."""

    space: int
    """Mappings before any limit: factorizations of every dimension times operands kept in place."""
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
    hierarchy: Hierarchy
    mapping: Mapping
    cost: Cost
    certificate: Certificate | None = None
    """None for a mapping written by hand."""


@dataclass(frozen=True)
class Optimum:
    """The best mapping over alternatives in normal form."""

    alternative: int
    mapping: Mapping
    value: float
    visited: int
    bounded: int
    dominated: int


Solve = Callable[[tuple[tuple[Problem, Hierarchy], ...], Objective], Optimum | None]


def search(problem: Problem, hierarchy: Hierarchy, objective: Objective = ENERGY) -> Found:
    """Return a mapping of the least objective; see `best_of`."""
    return best_of([(problem, hierarchy)], objective)


def best_of(
    alternatives: Sequence[tuple[Problem, Hierarchy]], objective: Objective = ENERGY, solve: Solve | None = None
) -> Found:
    """Return the best mapping over alternatives, such as choices of which memory an operand passes by.

    Parameters
    ----------
    solve
        Finds the optimum of alternatives in normal form; `optimum` unless given.

    Raises
    ------
    NoMappingError
        If no mapping fits any of them; the message names a memory that cannot hold a single point, if there is one.
    """
    forms = [canonical(problem, hierarchy) for problem, hierarchy in alternatives]
    best = (solve or optimum)(tuple((form.problem, form.hierarchy) for form in forms), objective)
    if best is None:
        raise NoMappingError(f"no mapping fits {alternatives[0][1].name}: {_why_none(*alternatives[-1])}")
    space = sum(_space(problem, hierarchy) for problem, hierarchy in alternatives)
    (problem, hierarchy), mapping = alternatives[best.alternative], forms[best.alternative].restore(best.mapping)
    return Found(
        problem, hierarchy, mapping, evaluate(mapping, problem, hierarchy),
        Certificate(space, best.visited, best.bounded, best.dominated),
    )  # fmt: skip


@lru_cache(maxsize=4096)
def optimum(alternatives: tuple[tuple[Problem, Hierarchy], ...], objective: Objective) -> Optimum | None:
    """Search alternatives in normal form; None if nothing fits any of them."""
    lattices = {problem: Lattice(problem) for problem in dict.fromkeys(problem for problem, _ in alternatives)}
    searches = [
        Descent(Setting(problem, hierarchy, objective, lattices[problem])) for problem, hierarchy in alternatives
    ]
    value, best, mapping = math.inf, -1, None
    for beam in (*BEAMS, None):
        for index, one in sorted(enumerate(searches), key=lambda each: each[0] != best):
            if one.run(value, beam):
                value, best, mapping = one.value, index, one.mapping
    if mapping is None:
        return None
    visited, bounded, dominated = (
        sum(getattr(one, name) for one in searches) for name in ("visited", "bounded", "dominated")
    )
    return Optimum(best, mapping, value, visited, bounded, dominated)


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
    for k in hierarchy.memories:
        try:
            check_memory(hierarchy.memory(k), problem, [1] * len(problem.bounds))
        except HwsimError as error:
            return f"{error}, for a single point"
    return "the constraints on loops leave none"
