"""Growing the partial mappings of one alternative from the compute unit outwards, to the best whole one.

They are grown in blocks, the most promising first, each to the end: that bounds the memory, and the mapping to beat
gets better on the way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from hwsim.mapping.bounds import Bounds
from hwsim.mapping.dominance import undominated
from hwsim.mapping.frontier import Frontier
from hwsim.mapping.growth import arrive, loop, seed, unroll
from hwsim.mapping.hierarchy import Array
from hwsim.mapping.lattice import Flags, Floats
from hwsim.mapping.mapping import Mapping
from hwsim.mapping.problem import Integers
from hwsim.mapping.setting import Setting

BLOCK = 1 << 19  # multiples of its tiles that a block may have
CHUNK = 1 << 13  # partial mappings that are priced at once: their arrays stay in the cache of a core
TIE = 1 - 1e-12  # values nearer than rounding are the same


@dataclass
class Descent:
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
            if k == 0:
                grown = self._grow(block, k, *self._whole(block))
                self.history.append((block, grown))
                self._finish(grown)
                self.history.pop()
            elif len(grown := self._promising(block, k)):
                self.history.append((block, grown))
                self._descend(grown, k - 1)
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

    def _promising(self, block: Frontier, k: int) -> Frontier:
        """What ``block`` grows to through node ``k`` that is worth growing further, best first."""
        origin, tile = self._multiples(block, k)
        parts, bounds = [], []
        for start in range(0, len(origin), CHUNK):
            grown = self._grow(block, k, origin[start : start + CHUNK], tile[start : start + CHUNK])
            bound = self.bounds.objective(grown, k)
            below = bound < self.value * TIE
            self.bounded += len(grown) - int(below.sum())
            parts.append(grown.take(below))
            bounds.append(bound[below])
        if not parts:
            return block.take(np.zeros(0, np.int64))
        grown, order = Frontier.join(parts), np.argsort(np.concatenate(bounds), kind="stable")
        if self.beam is not None or not len(order):
            return grown.take(order[: self.beam])
        grown = grown.take(order)
        best = undominated(grown, self.setting.mirror)
        self.dominated += len(grown) - len(best)
        return grown.take(best)

    def _grow(self, frontier: Frontier, k: int, origin: Integers, tile: Integers) -> Frontier:
        """Put loops of node ``k`` around partial mappings ``origin`` so that they cover ``tile``."""
        setting, node = self.setting, self.setting.hierarchy.nodes[k]
        if isinstance(node, Array):
            grown = unroll(setting, frontier, k, node, origin, tile)
        else:
            grown = arrive(setting, loop(setting, frontier, k, origin, tile), k)
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
            left = np.flatnonzero(kept)
            kept[left] = bounds.value(least[origin[left]] + bounds.floor[memory][grown[left]]) < worth
            return kept

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
