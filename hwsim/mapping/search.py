"""The best mapping of a contraction on a hierarchy, with a proof.

The search grows tiles from the compute unit outwards, node by node, and keeps all partial mappings at once in
arrays. Three facts make that affordable:

* Between two memories only the choice of the operand that stays in place matters, not every order of loops.
* A tile that is executed costs the same wherever it lies, so everything inside a node is settled but for the
  reuse by the next loops outside.
* What the memories outside will cost at least depends on the current tile alone (`hwsim.mapping.bounds`). A first,
  narrow search gives a mapping to beat; the second drops whatever cannot beat it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwsim.errors import HwsimError
from hwsim.mapping.bounds import Bounds
from hwsim.mapping.frontier import Frontier
from hwsim.mapping.growth import arrive, loop, seed, unroll
from hwsim.mapping.hierarchy import Array, Hierarchy
from hwsim.mapping.lattice import Flags, Floats
from hwsim.mapping.mapping import Cost, Mapping, evaluate
from hwsim.mapping.problem import Integers, Problem
from hwsim.mapping.setting import Objective, Setting

BEAM = 64  # partial mappings per node that the first search keeps


@dataclass(frozen=True)
class Certificate:
    """Why no mapping is better: every mapping of the space was priced, or bounded by the best, or does not fit."""

    space: int
    """Mappings before any limit: factorizations of every dimension times operands kept in place."""
    visited: int
    """Partial and whole mappings that were priced."""
    bounded: int
    """Of those, partial mappings dropped because their lower bound reached the best mapping."""


@dataclass(frozen=True)
class Found:
    """The optimum of a search and the alternative it belongs to."""

    problem: Problem
    hierarchy: Hierarchy
    mapping: Mapping
    cost: Cost
    objective: float
    """Energy in pJ, latency in cycles, or their product."""
    certificate: Certificate


@dataclass(frozen=True)
class _Run:
    """One pass: the best mapping below a value, if there is one, and how many partial mappings it took."""

    value: float
    mapping: Mapping | None
    visited: int
    bounded: int


def search(problem: Problem, hierarchy: Hierarchy, objective: Objective = "energy") -> Found:
    """Return a mapping of least energy, latency or energy-delay product; see `best_of`."""
    return best_of([(problem, hierarchy)], objective)


def best_of(alternatives: Sequence[tuple[Problem, Hierarchy]], objective: Objective = "energy") -> Found:
    """Return the best mapping over alternatives, such as choices of which memory an operand passes by.

    Raises
    ------
    HwsimError
        If no mapping fits any of them; the message names a memory that cannot hold a single point, if there is one.
    """
    settings = [Setting(problem, hierarchy, objective) for problem, hierarchy in alternatives]
    value, best = math.inf, None
    space = visited = bounded = 0
    for setting in settings:
        bounds = Bounds(setting)
        space += _space(setting)
        for beam in (BEAM, None):
            run = _run(setting, bounds, value, beam)
            visited, bounded = visited + run.visited, bounded + run.bounded
            if run.mapping is not None:
                value, best = run.value, (setting, run.mapping)
    if best is None:
        raise HwsimError(f"no mapping fits {settings[0].hierarchy.name}: {_why_none(settings[-1])}")
    (setting, mapping), certificate = best, Certificate(space, visited, bounded)
    cost = evaluate(mapping, setting.problem, setting.hierarchy)
    return Found(setting.problem, setting.hierarchy, mapping, cost, value, certificate)


def _run(setting: Setting, bounds: Bounds, beat: float, beam: int | None) -> _Run:
    """Search for a mapping whose objective is below ``beat``, keeping ``beam`` partial mappings per node."""
    frontier = seed(setting)
    history: list[tuple[Frontier, Frontier]] = []
    visited = bounded = 0
    for k in range(len(setting.hierarchy.nodes) - 1, -1, -1):
        grown = _grow(setting, bounds, frontier, k, beat)
        visited += len(grown)
        if k > 0:
            bound = bounds.objective(grown, k)
            kept = bound < beat
            bounded += len(grown) - int(kept.sum())
            grown = grown.take(_narrow(bound, kept, beam))
        history.append((frontier, grown))
        frontier = grown
        if not len(frontier):
            return _Run(math.inf, None, visited, bounded)
    values = setting.value(frontier.settled + frontier.pending.sum(axis=1) - frontier.credit)
    best = int(np.argmin(values))
    if not values[best] < beat:
        return _Run(math.inf, None, visited, bounded)
    return _Run(float(values[best]), _unwind(setting, history, best), visited, bounded)


def _grow(setting: Setting, bounds: Bounds, frontier: Frontier, k: int, beat: float) -> Frontier:
    node = setting.hierarchy.nodes[k]
    if isinstance(node, Array):
        return unroll(setting, frontier, k, node)
    energy_pj, cycles = bounds.energy_pj(frontier, k + 1), bounds.cycles(frontier, k + 1)

    def below(origin: Integers, outside_pj: Floats) -> Flags:
        return bounds.combined(energy_pj[origin] + outside_pj, cycles[origin]) < beat

    def keep(origin: Integers, grown: Integers) -> Flags:
        return setting.fits[k][grown] & below(origin, bounds.floor[k][grown])

    def last(origin: Integers, grown: Integers) -> Flags:
        return below(origin, bounds.fill[k][grown])

    return arrive(setting, loop(setting, frontier, k, keep, last), k)


def _narrow(bound: Floats, kept: Flags, beam: int | None) -> Integers | Flags:
    if beam is None or kept.sum() <= beam:
        return kept
    return np.argsort(np.where(kept, bound, np.inf), kind="stable")[:beam]


def _unwind(setting: Setting, history: list[tuple[Frontier, Frontier]], position: int) -> Mapping:
    """Follow the parents of a whole mapping inwards and collect the loops of every node."""
    relevant, names, tiles = setting.problem.relevant, setting.problem.names, setting.lattice.tiles
    loops = []
    for before, after in reversed(history):
        inner = int(after.parent[position])
        trips = tiles[after.tile[position]] // tiles[before.tile[inner]]
        kept = int(after.choice[position])
        last = ~relevant[kept] if kept >= 0 else np.zeros(len(names), bool)
        order = [*np.flatnonzero(~last), *np.flatnonzero(last)]
        loops.append(tuple((names[d], int(trips[d])) for d in order if trips[d] > 1))
        position = inner
    return Mapping(tuple(loops))


def _space(setting: Setting) -> int:
    nodes = len(setting.hierarchy.nodes)
    count = 3 ** len(setting.hierarchy.memories)
    for bound in setting.problem.bounds:
        count *= _ordered_factorizations(bound, nodes)
    return int(count)


def _ordered_factorizations(number: int, parts: int) -> int:
    count, prime = 1, 2
    while number > 1:
        exponent = 0
        while number % prime == 0:
            number //= prime
            exponent += 1
        count *= math.comb(exponent + parts - 1, parts - 1)
        prime += 1
    return count


def _why_none(setting: Setting) -> str:
    for k in setting.hierarchy.memories:
        if not setting.fits[k][0]:
            return f"memory {setting.hierarchy.nodes[k].name} cannot hold one word of every operand it stores"
    return f"memory {setting.hierarchy.nodes[0].name} cannot hold the operands"
