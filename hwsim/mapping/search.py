"""The best mapping of a contraction on a hierarchy, with a proof.

The search grows tiles from the compute unit outwards, node by node, and keeps all partial mappings at once in
arrays. Three facts make that affordable:

* Between two memories only the choice of the operand that stays in place matters, not every order of loops.
* A tile that is executed costs the same wherever it lies, so that everything inside a node is settled but for the
  reuse by the next loops outside, of which at most one operand profits.
* What the memories outside will cost at least depends on the current tile alone; the least over all its multiples
  is an admissible bound. A first, narrow search gives a mapping to beat; the second drops whatever cannot beat it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from hwsim.errors import HwsimError
from hwsim.mapping.frontier import Floats, Frontier
from hwsim.mapping.hierarchy import Array, Hierarchy, Memory
from hwsim.mapping.lattice import Flags, Lattice
from hwsim.mapping.mapping import Cost, Loop, Mapping, evaluate
from hwsim.mapping.problem import Integers, Problem

Objective = Literal["energy", "latency", "edp"]
BEAM = 256  # partial mappings per node that the first search keeps


@dataclass(frozen=True)
class Certificate:
    """Why no mapping is better."""

    space: int
    """Mappings in the declared space: factorizations of every dimension times stationary operands."""
    visited: int
    """Partial and whole mappings that were priced."""
    bounded: int
    """Of those, dropped because their lower bound reached the best mapping."""


@dataclass(frozen=True)
class Found:
    """The optimum of a search."""

    mapping: Mapping
    cost: Cost
    objective: float
    certificate: Certificate


def search(problem: Problem, hierarchy: Hierarchy, objective: Objective = "energy") -> Found:
    """Return a mapping of least energy (pJ), latency (cycles) or product of both.

    Raises
    ------
    HwsimError
        If no mapping fits; the message names the memory that cannot hold even one point.
    """
    engine = _Engine(problem, hierarchy, objective)
    first = engine.run(math.inf, BEAM)
    if first is None:
        first = engine.run(math.inf, None)
    if first is None:
        raise HwsimError(f"no mapping fits {hierarchy.name}: {engine.why_none()}")
    best = engine.run(first[0], None) or first
    objective_value, mapping = best
    certificate = Certificate(engine.space(), engine.visited, engine.bounded)
    return Found(mapping, evaluate(mapping, problem, hierarchy), objective_value, certificate)


class _Engine:
    """One problem on one hierarchy; `run` searches."""

    def __init__(self, problem: Problem, hierarchy: Hierarchy, objective: Objective) -> None:
        self.problem, self.hierarchy, self.objective = problem, hierarchy, objective
        self.lattice = Lattice(problem)
        self.whole = self.lattice.points[-1]
        limited = [k for k in hierarchy.memories if _memory(hierarchy, k).bits_per_cycle is not None]
        self.metrics = ["energy", *limited, "compute"] if objective != "energy" else ["energy"]
        self.totals = [problem.total(operand) for operand in range(3)]
        self.fits = {k: self._fitting(_memory(hierarchy, k)) for k in hierarchy.memories}
        self.floor = self._floors()
        self.visited = self.bounded = 0

    # ---- what a word costs -------------------------------------------------------------------------------------

    def _word(self, node: int, operand: int, *, inward: bool) -> tuple[Floats, Floats]:
        """Cost per word at a memory in every metric, and the part of it that first visits of a result do not pay.

        ``inward`` is the side towards the compute unit (words leave to a child), else words arrive from the parent.
        """
        memory = _memory(self.hierarchy, node)
        read, write = self._side(node, memory.read_pj[operand]), self._side(node, memory.write_pj[operand])
        bits = self.hierarchy.word_bits[operand]
        for cost in (read, write):
            if node in self.metrics and memory.bits_per_cycle:
                cost[self.metrics.index(node)] = bits / memory.bits_per_cycle
        if operand != self.problem.result:
            return (read if inward else write), np.zeros(len(self.metrics))
        return read + write, (read if inward else write)

    def _side(self, node: int, energy_pj: float) -> Floats:
        cost = np.zeros(len(self.metrics))
        cost[0] = energy_pj
        return cost

    # ---- what fits, and what outer memories cost at least --------------------------------------------------------

    def _fitting(self, memory: Memory) -> Flags:
        fits = np.ones(len(self.lattice), bool)
        bits = np.zeros(len(self.lattice))
        for operand in np.flatnonzero(memory.holds):
            words = self.lattice.footprint[:, operand]
            capacity = memory.words[operand]
            if capacity is not None:
                fits &= words <= capacity
            bits += words * self.hierarchy.word_bits[operand]
        return fits if memory.bits is None else fits & (bits <= memory.bits)

    def _floors(self) -> dict[int, Floats]:
        """For every memory and tile inside it: least energy of filling the memories from there outwards."""
        floor = {self.hierarchy.memories[0]: np.zeros(len(self.lattice))}
        for outer, k in zip(self.hierarchy.memories, self.hierarchy.memories[1:], strict=False):
            own = np.where(self.fits[k], self._least_fill(k), np.inf)
            floor[k] = self.lattice.least_of_multiples(own) + floor[outer]
        return floor

    def _least_fill(self, k: int) -> Floats:
        """Least energy of filling memory ``k`` with each tile: one operand has all the reuse there can be."""
        lattice = self.lattice
        outside = self.whole / lattice.points
        shared = math.prod(node.size for node in self.hierarchy.nodes[:k] if isinstance(node, Array))
        full = np.zeros((len(lattice), 3))
        credit = 0.0
        for operand in np.flatnonzero(_memory(self.hierarchy, k).holds):
            parent = self._holder(operand, k)
            (own, own_first), (up, up_first) = self._word(k, operand, inward=False), self._word(parent, operand, inward=True)
            full[:, operand] = lattice.footprint[:, operand] * outside * (own[0] + (up[0] / shared))
            credit += self.totals[operand] * (own_first[0] + up_first[0]) * shared
        reused = full / (lattice.irrelevant[-1] / lattice.irrelevant)
        least: Floats = (full.sum(axis=1)[:, None] - full + reused).min(axis=1) - credit
        return np.maximum(least, 0.0)

    # ---- the search ----------------------------------------------------------------------------------------------

    def run(self, beat: float, beam: int | None) -> tuple[float, Mapping] | None:
        """Search for a mapping whose objective is below ``beat``, keeping ``beam`` partial mappings a node."""
        frontier = self._start()
        history = []
        for k in range(len(self.hierarchy.nodes) - 1, -1, -1):
            grown = self._through(frontier, k, beat)
            if k > 0:
                grown = self._prune(grown, k, beat, beam)
            history.append((k, frontier, grown))
            frontier = grown
            if not len(frontier):
                return None
        values = self._objective(self._finish(frontier))
        best = int(np.argmin(values))
        return (float(values[best]), self._unwind(history, best)) if values[best] < beat else None

    def _start(self) -> Frontier:
        metrics = len(self.metrics)
        settled = np.zeros((1, metrics))
        settled[0, 0] = self.problem.points * self.hierarchy.compute_pj
        if metrics > 1:
            settled[0, -1] = self.problem.points
        return Frontier(
            tile=np.zeros(1, np.int64), settled=settled, pending=np.zeros((1, 3, metrics)),
            words=np.full((1, 3), float(self.problem.points)), waiting=np.zeros((1, 3), bool),
            credit=np.zeros((1, metrics)), parent=np.zeros(1, np.int64), choice=np.zeros(1, np.int64),
        )  # fmt: skip

    def _through(self, frontier: Frontier, k: int, beat: float) -> Frontier:
        node = self.hierarchy.nodes[k]
        if isinstance(node, Array):
            return self._unroll(frontier, node, k)
        return self._arrive(self._loop(frontier, k, beat), k)

    def _unroll(self, frontier: Frontier, node: Array, k: int) -> Frontier:
        allowed = [
            d for d, name in enumerate(self.problem.names) if node.dimensions is None or name in node.dimensions
        ]
        points = self.lattice.points
        inner = next(j for j in self.hierarchy.memories[::-1] if j < k)
        fits = self.fits[inner]  # what the next memory outwards can never hold need not be unrolled

        def keep(origin: Integers, grown: Integers) -> Flags:
            kept: Flags = (points[grown] <= node.size * points[frontier.tile[origin]]) & fits[grown]
            return kept

        origin, tile = self.lattice.expand(frontier.tile, allowed, keep)
        state = frontier.take(origin)
        spatial = points[tile] / points[state.tile]
        irrelevant = self.lattice.irrelevant[tile] / self.lattice.irrelevant[state.tile]
        grown_footprint = self.lattice.footprint[tile] / self.lattice.footprint[state.tile]
        result = self.problem.result
        hop = np.array(node.hop_pj) * np.where(np.arange(3) == result, 2.0, 1.0)
        delivered = state.words * hop
        pending = state.pending.copy()
        pending[:, :, 0] += np.where(state.waiting, delivered, 0.0)
        settled = state.settled.copy()
        settled[:, 0] += np.where(state.waiting, 0.0, delivered).sum(axis=1)
        credit = state.credit.copy()
        credit[:, 0] += node.hop_pj[result] * self.totals[result]
        credit *= irrelevant[:, result, None]
        shared = np.array(node.shared)
        words = state.words * np.where(shared, grown_footprint / spatial[:, None], 1.0)
        inside = np.array([metric == "compute" or (metric != "energy" and metric > k) for metric in self.metrics])
        share = np.where(inside, spatial[:, None], 1.0)
        return replace(
            state, tile=tile, settled=settled / share, pending=pending / share[:, None, :], words=words,
            credit=credit / share, parent=origin, choice=np.full(len(tile), -1),
        )  # fmt: skip

    def _loop(self, frontier: Frontier, k: int, beat: float) -> Frontier:
        """Put temporal loops of memory ``k`` around every partial mapping, in every way that can matter."""
        fits = self.fits[k]
        floor = self.floor[k]
        least = self._least(frontier, k + 1) if math.isfinite(beat) and self.objective == "energy" else None

        def keep(origin: Integers, grown: Integers) -> Flags:
            kept = fits[grown]
            return kept if least is None else kept & (least[origin] + floor[grown] < beat)

        if k == 0:
            origin, tile = np.arange(len(frontier)), np.full(len(frontier), len(self.lattice) - 1)
        else:
            origin, tile = self.lattice.expand(frontier.tile, list(range(len(self.problem.bounds))), keep)
        before = frontier.tile[origin]
        moved = self.lattice.relevant[tile] != self.lattice.relevant[before]  # a loop selects other elements
        reuse = self.lattice.irrelevant[tile] / self.lattice.irrelevant[before]
        state = frontier.take(origin)
        grown = [self._stationary(state, origin, tile, moved, reuse, operand) for operand in range(3)]
        # keeping an operand in place matters only if there is something to reuse
        useful = [(reuse[:, operand] > 1) & moved[:, operand] & state.waiting[:, operand] for operand in range(3)]
        neither = ~(useful[0] | useful[1] | useful[2])
        parts = [grown[operand].take(useful[operand] | (neither if operand == 0 else False)) for operand in range(3)]
        joined = _join(parts)
        self.visited += len(joined)
        return joined

    def _stationary(
        self, state: Frontier, origin: Integers, tile: Integers, moved: Flags, reuse: Floats, kept: int
    ) -> Frontier:
        divisor = np.where((np.arange(3) == kept) | ~moved, reuse, 1.0)
        divisor = np.where(state.waiting, divisor, 1.0)
        pending = state.pending / divisor[:, :, None]
        words = state.words / divisor
        settles = moved & state.waiting
        settled = state.settled + np.where(settles[:, :, None], pending, 0.0).sum(axis=1)
        return replace(
            state, tile=tile, settled=settled, pending=np.where(settles[:, :, None], 0.0, pending), words=words,
            waiting=state.waiting & ~moved, parent=origin, choice=np.full(len(tile), kept),
        )  # fmt: skip

    def _arrive(self, state: Frontier, k: int) -> Frontier:
        """Pay memory ``k`` for the words that reach it, and begin those that fill it."""
        memory = _memory(self.hierarchy, k)
        settled, pending, words = state.settled.copy(), state.pending.copy(), state.words.copy()
        waiting, credit = state.waiting.copy(), state.credit.copy()
        outside = self.whole / self.lattice.points[state.tile]
        for operand in np.flatnonzero(memory.holds):
            cost, first = self._word(k, operand, inward=True)
            paid = words[:, operand, None] * cost
            open_ = waiting[:, operand, None]
            settled += np.where(open_, 0.0, paid)
            pending[:, operand] += np.where(open_, paid, 0.0)
            if operand == self.problem.result:
                credit += self.totals[operand] * first
            if k > 0:
                cost, first = self._word(k, operand, inward=False)
                words[:, operand] = self.lattice.footprint[state.tile, operand] * outside
                pending[:, operand] += words[:, operand, None] * cost
                waiting[:, operand] = True
                if operand == self.problem.result:
                    credit += self.totals[operand] * first
        return replace(state, settled=settled, pending=pending, words=words, waiting=waiting, credit=credit)

    # ---- bounds --------------------------------------------------------------------------------------------------

    def _finish(self, frontier: Frontier) -> Floats:
        total: Floats = frontier.settled + frontier.pending.sum(axis=1) - frontier.credit
        return total

    def _objective(self, metrics: Floats) -> Floats:
        if self.objective == "energy":
            return metrics[:, 0]
        cycles: Floats = metrics[:, 1:].max(axis=1)
        return cycles if self.objective == "latency" else cycles * metrics[:, 0]

    def _least(self, frontier: Frontier, k: int) -> Floats:
        """Lower bound of the energy of everything inside node ``k`` and of bringing words to it.

        Of the next loops outside, at most one operand has any reuse, and no more than all there is.
        """
        arrays = math.prod(node.size for node in self.hierarchy.nodes[:k] if isinstance(node, Array))
        full = frontier.pending[:, :, 0].copy()
        credit = frontier.credit[:, 0].copy()
        for operand in range(3):
            parent = self._holder(operand, k)
            cost, first = self._word(parent, operand, inward=True)
            full[:, operand] += frontier.words[:, operand] * cost[0] / arrays
            if operand == self.problem.result:
                credit += self.totals[operand] * first[0]
        remaining = self.lattice.irrelevant[-1] / self.lattice.irrelevant[frontier.tile]
        reused = full / np.where(frontier.waiting, remaining, 1.0)
        least: Floats = (full.sum(axis=1)[:, None] - full + reused).min(axis=1)
        return frontier.settled[:, 0] + least - credit * arrays

    def _holder(self, operand: int, k: int) -> int:
        """The nearest memory outside node ``k`` that holds ``operand``."""
        return max(j for j in self.hierarchy.memories if j < k and _memory(self.hierarchy, j).holds[operand])

    def _prune(self, frontier: Frontier, k: int, beat: float, beam: int | None) -> Frontier:
        next_memory = next(j for j in self.hierarchy.memories[::-1] if j < k)
        energy = np.maximum(self._least(frontier, k) + self.floor[next_memory][frontier.tile], 0.0)
        bound = energy
        if self.objective != "energy":
            arrays = math.prod(node.size for node in self.hierarchy.nodes[:k] if isinstance(node, Array))
            cycles = (frontier.settled[:, 1:] - frontier.credit[:, 1:] * arrays).max(axis=1) / arrays
            bound = cycles if self.objective == "latency" else cycles * energy
        kept = bound < beat
        self.bounded += int(len(frontier) - kept.sum())
        if beam is not None and kept.sum() > beam:
            ranked = np.argsort(np.where(kept, bound, np.inf), kind="stable")[:beam]
            return frontier.take(ranked)
        return frontier.take(kept)

    # ---- results -------------------------------------------------------------------------------------------------

    def _unwind(self, history: list[tuple[int, Frontier, Frontier]], best: int) -> Mapping:
        loops: dict[int, tuple[Loop, ...]] = {}
        position = best
        for k, before, after in reversed(history):
            inner = int(after.parent[position])
            outer_tile = self.lattice.tiles[after.tile[position]]
            inner_tile = self.lattice.tiles[before.tile[inner]]
            trips = [(name, int(o // i)) for name, o, i in zip(self.problem.names, outer_tile, inner_tile, strict=True)]
            kept = int(after.choice[position])
            irrelevant = ~self.problem.relevant[kept] if kept >= 0 else np.zeros(len(trips), bool)
            ordered = [t for t, last in zip(trips, irrelevant, strict=True) if not last]
            ordered += [t for t, last in zip(trips, irrelevant, strict=True) if last]
            loops[k] = tuple(t for t in ordered if t[1] > 1)
            position = inner
        return Mapping(tuple(loops[k] for k in range(len(self.hierarchy.nodes))))

    def space(self) -> int:
        """Size of the declared space before any limit."""
        nodes = len(self.hierarchy.nodes)
        count = 3 ** len(self.hierarchy.memories)
        for bound in self.problem.bounds:
            count *= _ordered_factorizations(bound, nodes)
        return count

    def why_none(self) -> str:
        """Name a memory that cannot hold even one point of the problem."""
        for k in self.hierarchy.memories:
            if not self.fits[k][0]:
                return f"memory {self.hierarchy.nodes[k].name} cannot hold one word of every operand it stores"
        return f"memory {self.hierarchy.nodes[0].name} cannot hold the operands"


def _memory(hierarchy: Hierarchy, k: int) -> Memory:
    node = hierarchy.nodes[k]
    assert isinstance(node, Memory)  # noqa: S101 (an index from hierarchy.memories)
    return node


def _join(parts: list[Frontier]) -> Frontier:
    return Frontier(*(np.concatenate([getattr(part, name) for part in parts]) for name in Frontier.__dataclass_fields__))


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
