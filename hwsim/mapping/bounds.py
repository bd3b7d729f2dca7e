"""Lower bounds of what a partial mapping will cost in the end.

Two facts: of the next temporal loops outside a tile at most one operand has any reuse, because every dimension
belongs to at least two of the three operands; and filling a memory costs at least what its cheapest tile that
contains the current one costs.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise

import numpy as np

from hwsim.mapping.frontier import Frontier
from hwsim.mapping.lattice import Floats
from hwsim.mapping.setting import Setting


class Bounds:
    """Admissible bounds for one setting."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    @cached_property
    def fill(self) -> dict[int, Floats]:
        """For every memory and tile it holds: least energy of filling it and the memories outside it, in pJ."""
        memories, fits = self._setting.hierarchy.memories, self._setting.fits
        fill = {memories[0]: np.zeros(len(self._setting.lattice))}
        for outer, k in pairwise(memories):
            outside = self._setting.lattice.least_of_multiples(fill[outer])
            fill[k] = np.where(fits[k], self._least_fill(k) + outside, np.inf)
        return fill

    @cached_property
    def floor(self) -> dict[int, Floats]:
        """The same for every tile inside the memory: the least over all tiles that contain it."""
        return {k: self._setting.lattice.least_of_multiples(fill) for k, fill in self.fill.items()}

    @cached_property
    def _compulsory_cycles(self) -> float:
        """Cycles of the outermost memory for every operand once."""
        setting, outermost = self._setting, self._setting.hierarchy.memory(0)
        if 0 not in setting.ports or outermost.bits_per_cycle is None:
            return 0.0
        bits = sum(words * width for words, width in zip(setting.totals, outermost.word_bits, strict=True))
        return bits / outermost.bits_per_cycle

    def energy_pj(self, frontier: Frontier, k: int) -> Floats:
        """Least energy of everything inside node ``k`` and of bringing words to it."""
        setting, arrays = self._setting, self._setting.hierarchy.instances(k)
        full = frontier.pending[:, :, 0].copy()
        credit = frontier.credit[:, 0].copy()
        for operand in range(3):
            cost, first = setting.word(setting.hierarchy.holder(operand, k), operand, inward=True)
            full[:, operand] += frontier.words[:, operand] * cost[0] / arrays
            if operand == setting.problem.result:
                credit += setting.totals[operand] * first[0]
        remaining = setting.lattice.irrelevant[-1] / setting.lattice.irrelevant[frontier.tile]
        reused = full / np.where(frontier.waiting, remaining, 1.0)
        return frontier.settled[:, 0] + _one_reused(full, reused) - credit * arrays

    def cycles(self, frontier: Frontier, k: int) -> Floats:
        """Least cycles of every partial mapping whose loops inside node ``k`` are fixed; 1 if they do not matter."""
        if self._setting.objective == "energy":
            return np.ones(len(frontier))
        arrays = self._setting.hierarchy.instances(k)
        least: Floats = (frontier.settled[:, 1:] - frontier.credit[:, 1:] * arrays).max(axis=1) / arrays
        return np.maximum(least, self._compulsory_cycles)

    def combined(self, energy_pj: Floats, cycles: Floats) -> Floats:
        """Objective of a least energy with least cycles."""
        if self._setting.objective == "latency":
            return cycles
        return np.maximum(energy_pj, 0.0) * cycles

    def objective(self, frontier: Frontier, k: int) -> Floats:
        """Least objective of every partial mapping whose loops inside node ``k`` are fixed."""
        memory = next(j for j in self._setting.hierarchy.memories[::-1] if j < k)
        energy_pj = self.energy_pj(frontier, k) + self.floor[memory][frontier.tile]
        return self.combined(energy_pj, self.cycles(frontier, k))

    def _least_fill(self, k: int) -> Floats:
        setting, lattice = self._setting, self._setting.lattice
        outside = lattice.points[-1] / lattice.points
        arrays = setting.hierarchy.instances(k)
        full = np.zeros((len(lattice), 3))
        credit = 0.0
        for operand in setting.hierarchy.memory(k).held:
            own, own_first = setting.word(k, operand, inward=False)
            parent, parent_first = setting.word(setting.hierarchy.holder(operand, k), operand, inward=True)
            full[:, operand] = lattice.footprint[:, operand] * outside * (own[0] + parent[0] / arrays)
            credit += setting.totals[operand] * (own_first[0] + parent_first[0]) * arrays
        reused = full / (lattice.irrelevant[-1] / lattice.irrelevant)
        return np.maximum(_one_reused(full, reused) - credit, 0.0)


def _one_reused(full: Floats, reused: Floats) -> Floats:
    """Sum over operands with the one reuse that helps most, shape (n,)."""
    least: Floats = (full.sum(axis=1)[:, None] - full + reused).min(axis=1)
    return least
