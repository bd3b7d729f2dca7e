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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from hwsim.errors import HwsimError
from hwsim.mapping.bounds import Bounds
from hwsim.mapping.canonical import Canonical, canonical
from hwsim.mapping.dominance import undominated
from hwsim.mapping.frontier import Frontier
from hwsim.mapping.growth import arrive, loop, seed, unroll
from hwsim.mapping.hierarchy import Array, Hierarchy
from hwsim.mapping.lattice import Flags, Lattice, factorized
from hwsim.mapping.mapping import Cost, Mapping, evaluate
from hwsim.mapping.objective import ENERGY, Objective
from hwsim.mapping.problem import Integers, Problem
from hwsim.mapping.setting import Setting

BEAM = 64  # partial mappings per node that the first pass keeps
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
    """The optimum of a search and the alternative it belongs to."""

    problem: Problem
    hierarchy: Hierarchy
    mapping: Mapping
    cost: Cost
    objective: float
    """Energy in pJ and latency in cycles to the powers of the objective."""
    certificate: Certificate


@dataclass
class _Search:
    """One alternative, and what is known while it is searched."""

    setting: Setting
    bounds: Bounds
    form: Canonical
    beam: int | None = None
    value: float = math.inf
    mapping: Mapping | None = None
    visited: int = 0
    bounded: int = 0
    dominated: int = 0
    history: list[tuple[Frontier, Frontier]] = field(default_factory=list)

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
        for start, stop in zip(edges, edges[1:], strict=False):
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
            grown = unroll(setting, frontier, k, node)
        else:
            origin, tile = self._multiples(frontier, k)
            grown = arrive(setting, loop(setting, frontier, k, origin, tile), k)
        self.visited += len(grown)
        return grown

    def _multiples(self, frontier: Frontier, k: int) -> tuple[Integers, Integers]:
        """Tiles at memory ``k`` that contain those of ``frontier`` and may lead to something better."""
        setting, bounds = self.setting, self.bounds
        if k == 0:
            return self._whole(frontier)
        standing = bounds.standing(frontier, k + 1)
        least = bounds.open_ended(standing)
        worth = self.value * TIE

        def keep(origin: Integers, grown: Integers) -> Flags:
            below: Flags = bounds.value(least[origin] + bounds.floor[k][grown]) < worth
            return setting.fits[k][grown] & below

        origin, tile = setting.lattice.expand(frontier.tile, setting.loopable(k), keep)
        below = bounds.value(bounds.looped(standing, origin, tile) + bounds.fill[k][tile]) < worth
        self.visited += len(origin) - int(below.sum())
        self.bounded += len(origin) - int(below.sum())
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
            self.mapping = self.form.restore(_unwind(self.setting, self.history, best))


def search(problem: Problem, hierarchy: Hierarchy, objective: Objective = ENERGY) -> Found:
    """Return a mapping of the least objective; see `best_of`."""
    return best_of([(problem, hierarchy)], objective)


def best_of(alternatives: Sequence[tuple[Problem, Hierarchy]], objective: Objective = ENERGY) -> Found:
    """Return the best mapping over alternatives, such as choices of which memory an operand passes by.

    Raises
    ------
    HwsimError
        If no mapping fits any of them; the message names a memory that cannot hold a single point, if there is one.
    """
    searches = _searches(alternatives, objective)
    value, best, mapping = math.inf, None, None
    for beam in (BEAM, None):
        for one in searches:
            if one.run(value, beam):
                value, best, mapping = one.value, one, one.mapping
    if best is None or mapping is None:
        raise HwsimError(f"no mapping fits {alternatives[0][1].name}: {_why_none(searches[-1].setting)}")
    certificate = Certificate(
        space=sum(_space(problem, hierarchy) for problem, hierarchy in alternatives),
        visited=sum(one.visited for one in searches),
        bounded=sum(one.bounded for one in searches),
        dominated=sum(one.dominated for one in searches),
    )
    problem, hierarchy = best.form.original, best.setting.hierarchy
    return Found(problem, hierarchy, mapping, evaluate(mapping, problem, hierarchy), value, certificate)


def _searches(alternatives: Sequence[tuple[Problem, Hierarchy]], objective: Objective) -> list[_Search]:
    lattices: dict[Problem, Lattice] = {}
    searches = []
    for problem, hierarchy in alternatives:
        form = canonical(problem, hierarchy)
        if form.problem not in lattices:
            lattices[form.problem] = Lattice(form.problem)
        setting = Setting(form.problem, hierarchy, objective, lattices[form.problem])
        searches.append(_Search(setting, Bounds(setting), form))
    return searches


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
    return 3 ** len(hierarchy.memories) * math.prod(
        math.comb(exponent + nodes - 1, nodes - 1)
        for bound in problem.bounds
        for exponent in factorized(bound).values()
    )


def _why_none(setting: Setting) -> str:
    for k in setting.hierarchy.memories:
        if not setting.fits[k][0]:
            return f"memory {setting.hierarchy.nodes[k].name} cannot hold one word of every operand it stores"
    return f"memory {setting.hierarchy.nodes[0].name} cannot hold the operands"
