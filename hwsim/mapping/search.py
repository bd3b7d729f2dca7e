"""The best mapping of a contraction on a hierarchy, with a proof.

The search grows tiles from the compute unit outwards, node by node, and keeps many partial mappings at once in
arrays. Five facts make that affordable:

* Dimensions that no cost tells apart are one (`hwsim.mapping.canonical`).
* Between two memories only the choice of the operand that stays in place matters, not every order of loops.
* A tile that is executed costs the same wherever it lies, so everything inside a node is settled but for the
  reuse by the next loops outside.
* Of two partial mappings of one tile, one that is nowhere worse is enough (`hwsim.mapping.dominance`).
* What the memories outside will cost at least depends on the current tile alone (`hwsim.mapping.bounds`).

Partial mappings are grown in blocks, the most promising first, each to the end: that bounds the memory, and the
mapping to beat gets better on the way. A narrow pass over every alternative gives the first one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

import numpy as np

from hwsim.errors import HwsimError, NoMappingError
from hwsim.mapping.bounds import Bounds
from hwsim.mapping.canonical import canonical
from hwsim.mapping.dominance import undominated
from hwsim.mapping.frontier import Frontier
from hwsim.mapping.growth import arrive, loop, seed, unroll
from hwsim.mapping.hierarchy import Array, Hierarchy
from hwsim.mapping.lattice import Flags, Floats, Lattice, factorized
from hwsim.mapping.mapping import Cost, Mapping, check_memory, evaluate
from hwsim.mapping.objective import ENERGY, Objective
from hwsim.mapping.problem import Integers, Problem
from hwsim.mapping.setting import Setting

BEAMS = (2, 64)  # partial mappings per node that the first passes keep
BLOCK = 1 << 19  # multiples of its tiles that a block may have
TIE = 1 - 1e-12  # values nearer than rounding are the same


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


@dataclass
class _Search:
    """One alternative, and what is known while it is searched."""

    setting: Setting
    bounds: Bounds = field(init=False)
    beam: int | None = None
    value: float = math.inf
    mapping: Mapping | None = None
    visited: int = 0
    bounded: int = 0
    dominated: int = 0
    history: list[tuple[Frontier, Frontier]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bounds = Bounds(self.setting)

    def run(self, beat: float, beam: int | None) -> bool:
        """Look for a mapping whose objective is below ``beat``, keeping ``beam`` partial mappings per node."""
        self.value, self.mapping, self.beam = beat, None, beam
        self._descend(seed(self.setting), len(self.setting.hierarchy.nodes) - 1)
        return self.mapping is not None

    def _descend(self, frontier: Frontier, k: int) -> None:
        """Grow ``frontier``, whose loops inside node ``k`` are fixed, through it and all nodes outside."""
        for block in self._blocks(frontier, k):
            if self.history:
                self.history[-1] = (self.history[-1][0], block)
            grown = self._grow(block, k)
            self.history.append((block, grown))
            if k == 0:
                self._finish(grown)
            else:
                kept = self._promising(grown, k)
                if len(kept):
                    self.history[-1] = (block, grown.take(kept))
                    self._descend(self.history[-1][1], k - 1)
            self.history.pop()

    def _blocks(self, frontier: Frontier, k: int) -> Iterator[Frontier]:
        """Parts of a frontier in order, small enough to grow through node ``k`` at once."""
        if isinstance(self.setting.hierarchy.nodes[k], Array) or k == 0:
            yield frontier
            return
        part = np.cumsum(self.setting.lattice.multiples[frontier.tile]) // BLOCK
        edges = [0, *(np.flatnonzero(np.diff(part)) + 1), len(frontier)]
        for start, stop in pairwise(edges):
            yield frontier.take(np.arange(start, stop))

    def _promising(self, grown: Frontier, k: int) -> Integers:
        """Positions of what is worth growing beyond node ``k``, best first."""
        bound = self.bounds.objective(grown, k)
        order = np.argsort(bound, kind="stable")
        order = order[: np.searchsorted(bound[order], self.value * TIE)]
        self.bounded += len(grown) - len(order)
        if self.beam is not None or not len(order):
            return order[: self.beam]
        best = order[undominated(grown.take(order))]
        self.dominated += len(order) - len(best)
        return best

    def _grow(self, frontier: Frontier, k: int) -> Frontier:
        setting, node = self.setting, self.setting.hierarchy.nodes[k]
        if isinstance(node, Array):
            grown = unroll(setting, frontier, k, node, *self._multiples(frontier, k))
        else:
            growth = self._multiples(frontier, k) if k > 0 else self._whole(frontier)
            grown = arrive(setting, loop(setting, frontier, k, *growth), k)
        self.visited += len(grown)
        return grown

    def _multiples(self, frontier: Frontier, k: int) -> tuple[Integers, Integers]:
        """Tiles that loops at node ``k`` make of those of ``frontier`` and that may lead to something better."""
        setting, bounds, lattice = self.setting, self.bounds, self.setting.lattice
        node = setting.hierarchy.nodes[k]
        memory = max(j for j in setting.hierarchy.memories if j <= k)
        standing = bounds.standing(frontier, k + 1)
        least = bounds.open_ended(standing)
        worth = self.value * TIE

        def keep(origin: Integers, grown: Integers) -> Flags:
            kept = setting.fits[memory][grown]
            if isinstance(node, Array):
                kept = kept & (lattice.points[grown] <= node.size * lattice.points[frontier.tile[origin]])
            below: Flags = bounds.value(least[origin] + bounds.floor[memory][grown]) < worth
            return kept & below

        origin, tile = lattice.expand(frontier.tile, setting.loopable(k), keep)
        if isinstance(node, Array):
            bound = bounds.unrolled(standing, least, k, origin, tile) + bounds.floor[memory][tile]
        else:
            bound = bounds.looped(standing, origin, tile) + bounds.fill[k][tile]
        return self._below(bounds.value(bound), origin, tile)

    def _below(self, bound: Floats, origin: Integers, tile: Integers) -> tuple[Integers, Integers]:
        """Those whose lower bound is below the value to beat; the best of them if there is a beam."""
        below = np.flatnonzero(bound < self.value * TIE)
        self.visited += len(origin) - len(below)
        self.bounded += len(origin) - len(below)
        if self.beam is not None and len(below) > self.beam:
            below = below[np.argpartition(bound[below], self.beam)[: self.beam]]
        return origin[below], tile[below]

    def _whole(self, frontier: Frontier) -> tuple[Integers, Integers]:
        """Every partial mapping that the loops which the outermost memory accepts can complete."""
        lattice = self.setting.lattice
        open_to = self.setting.loopable(0)
        closed = [d for d in range(lattice.tiles.shape[1]) if d not in open_to]
        done = (lattice.tiles[frontier.tile][:, closed] == lattice.tiles[-1, closed]).all(axis=1)
        origin = np.flatnonzero(done)
        return origin, np.full(len(origin), len(lattice) - 1)

    def _finish(self, grown: Frontier) -> None:
        values = self.setting.value(grown.settled + grown.pending.sum(axis=1) - grown.credit)
        if len(values) and values.min() < self.value * TIE:
            best = int(np.argmin(values))
            self.value = float(values[best])
            self.mapping = _unwind(self.setting, self.history, best)


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
        _Search(Setting(problem, hierarchy, objective, lattices[problem])) for problem, hierarchy in alternatives
    ]
    value, best, mapping = math.inf, -1, None
    for beam in (*BEAMS, None):
        for index, one in enumerate(searches):
            if one.run(value, beam):
                value, best, mapping = one.value, index, one.mapping
    if mapping is None:
        return None
    visited, bounded, dominated = (
        sum(getattr(one, name) for one in searches) for name in ("visited", "bounded", "dominated")
    )
    return Optimum(best, mapping, value, visited, bounded, dominated)


def _unwind(setting: Setting, history: list[tuple[Frontier, Frontier]], position: int) -> Mapping:
    """Follow the parents of a whole mapping inwards and collect the loops of every node."""
    relevant, names, tiles = setting.problem.relevant, setting.problem.names, setting.lattice.tiles
    loops = []
    for node, (before, after) in zip(setting.hierarchy.nodes, reversed(history), strict=True):
        inner = int(after.parent[position])
        trips = tiles[after.tile[position]] // tiles[before.tile[inner]]
        kept: int | None = int(after.choice[position])
        if kept == -1:
            kept = None if isinstance(node, Array) else node.stationary
        last = np.zeros(len(names), bool) if kept is None else ~relevant[kept]
        order = [*np.flatnonzero(~last), *np.flatnonzero(last)]
        loops.append(tuple((names[d], int(trips[d])) for d in order if trips[d] > 1))
        position = inner
    return Mapping(tuple(loops))


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
