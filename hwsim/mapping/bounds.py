"""Lower bounds of what a partial mapping will cost in the end.

Three facts: of the next temporal loops outside a tile at most one operand has any reuse, because every dimension
belongs to at least two of the three operands; filling a memory costs at least what its cheapest tile that contains the
current one costs; and arrays outside can use no more instances than the factors that are left allow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from hwsim.mapping.frontier import Frontier
from hwsim.mapping.hierarchy import Array
from hwsim.mapping.lattice import Floats, greatest, total
from hwsim.mapping.problem import Integers
from hwsim.mapping.setting import Setting


@dataclass(frozen=True)
class Standing:
    """Least cost vectors of partial mappings, split by what reuse outside them can still divide."""

    whole: Floats
    """Without any reuse, (n, metrics)."""
    open: Floats
    """Share of each operand that reuse divides, (n, 3, metrics)."""
    tile: Integers
    """The current tile, (n,)."""
    steps: Floats
    """Cycles of one compute unit if no further array were used, (n,)."""


class Bounds:
    """Admissible bounds for one setting."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    @cached_property
    def fill(self) -> dict[int, Floats]:
        """For every memory and tile it holds: least cost vector of filling it and the memories outside it."""
        setting, memories = self._setting, self._setting.hierarchy.memories
        fill = {memories[0]: np.zeros((len(setting.lattice), setting.metrics))}
        for outer, k in pairwise(memories):
            outside = setting.lattice.least_of_multiples(fill[outer])
            fill[k] = np.where(setting.fits[k][:, None], self._least_fill(k) + outside, np.inf)
        return fill

    @cached_property
    def floor(self) -> dict[int, Floats]:
        """The same for every tile inside the memory: the least over all tiles that contain it."""
        return {k: self._setting.lattice.least_of_multiples(fill) for k, fill in self.fill.items()}

    @cached_property
    def spread(self) -> dict[int, Floats]:
        """For every node and tile inside it: the most instances of it that the factors left can use."""
        setting, lattice = self._setting, self._setting.lattice
        spread = {0: np.ones(len(lattice))}
        for k, node in enumerate(setting.hierarchy.nodes):
            spread[k + 1] = spread[k]
            if isinstance(node, Array):
                closed = [d for d in range(len(setting.problem.bounds)) if d not in setting.loopable(k)]
                usable = (lattice.points <= node.size) & (lattice.tiles[:, closed] == 1).all(axis=1)
                spread[k + 1] = spread[k] * lattice.greatest_quotient(np.where(usable, lattice.points, 1.0))
        return spread

    def standing(self, frontier: Frontier, k: int) -> Standing:
        """Least cost of everything inside node ``k`` and of bringing words to it."""
        setting, arrays = self._setting, self._setting.hierarchy.instances(k)
        whole = frontier.settled - frontier.credit * arrays
        whole[:, 1:] /= arrays
        moving = frontier.pending.copy()
        moving[:, :, 1:] /= arrays
        for operand in range(3):
            cost, first = setting.word(setting.hierarchy.holder(operand, k), operand, inward=True)
            cost /= arrays  # one read may serve all instances; ports of different instances work at once
            moving[:, operand] += frontier.words[:, operand, None] * cost
            if operand == setting.problem.result:
                first[0] *= arrays
                whole -= setting.totals[operand] * first
        whole += total(moving)
        if setting.objective.latency:
            whole[:, -1] = frontier.settled[:, -1] / self.spread[k][frontier.tile]
        reusable = np.where(frontier.waiting[:, :, None], moving, 0.0)
        return Standing(whole, reusable, frontier.tile, frontier.settled[:, -1])

    def open_ended(self, standing: Standing) -> Floats:
        """Least cost vectors when nothing outside is known."""
        lattice = self._setting.lattice
        left = lattice.irrelevant[-1] / lattice.irrelevant[standing.tile]
        saved = standing.open * (1 - 1 / left)[:, :, None]
        return standing.whole - greatest(saved)

    def looped(self, standing: Standing, origin: Integers, tile: Integers) -> Floats:
        """Least cost vectors when the next temporal loops grow the tiles of ``origin`` to ``tile``."""
        lattice = self._setting.lattice
        inside = standing.tile[origin]
        moved = lattice.relevant[tile] != lattice.relevant[inside]
        reuse = np.where(moved, lattice.irrelevant[tile], lattice.irrelevant[-1]) / lattice.irrelevant[inside]
        share = 1 - 1 / reuse
        least = standing.whole[origin]
        for metric in range(self._pending_metrics):
            saved = standing.open[origin, :, metric] * share
            least[:, metric] -= greatest(np.where(moved, saved, 0.0)) + total(np.where(moved, 0.0, saved))
        return least

    def unrolled(self, standing: Standing, least: Floats, k: int, origin: Integers, tile: Integers) -> Floats:
        """``least`` vectors of ``origin`` when they spread over array ``k`` to cover ``tile``."""
        lattice = self._setting.lattice
        least = least[origin]
        if self._setting.objective.latency:
            spatial = lattice.points[tile] / lattice.points[standing.tile[origin]]
            least[:, -1] = standing.steps[origin] / (spatial * self.spread[k][tile])
        return least

    def objective(self, frontier: Frontier, k: int) -> Floats:
        """Least objective of every partial mapping whose loops inside node ``k`` are fixed."""
        memory = next(j for j in self._setting.hierarchy.memories[::-1] if j < k)
        return self.value(self.open_ended(self.standing(frontier, k)) + self.floor[memory][frontier.tile])

    def value(self, least: Floats) -> Floats:
        """Objective of least cost vectors."""
        return self._setting.value(np.maximum(least, 0.0))

    @property
    def _pending_metrics(self) -> int:
        """How many metrics reuse divides: all but the steps of the compute unit."""
        return max(1, self._setting.metrics - 1)

    def _least_fill(self, k: int) -> Floats:
        setting, lattice = self._setting, self._setting.lattice
        outside = lattice.points[-1] / lattice.points
        arrays = setting.hierarchy.instances(k)
        full = np.zeros((len(lattice), 3, setting.metrics))
        credit = np.zeros(setting.metrics)
        for operand in setting.hierarchy.memory(k).held:
            own, own_first = setting.word(k, operand, inward=False)
            parent, parent_first = setting.word(setting.hierarchy.holder(operand, k), operand, inward=True)
            parent /= arrays
            own[1:] /= arrays
            full[:, operand] = (lattice.footprint[:, operand] * outside)[:, None] * (own + parent)
            credit += setting.totals[operand] * (own_first + parent_first)
        saved = full * (1 - lattice.irrelevant / lattice.irrelevant[-1])[:, :, None]
        credit[0] *= arrays
        least = total(full) - greatest(saved) - credit
        return np.asarray(np.maximum(least, 0.0))
