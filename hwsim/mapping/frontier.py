"""Partial mappings of a search that grows tiles from the compute unit outwards.

A partial mapping has fixed all loops inside some node. What it will cost is known but for two things that only
loops further out decide: how far a tile is reused before it changes, and how many instances share one read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from hwsim.mapping.problem import Integers

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Frontier:
    """Partial mappings as parallel arrays of length n.

    Costs have a last axis of metrics: energy in pJ, then the busy cycles of each limited port, the compute unit
    last. They are totals of the whole operator, per instance for cycles of what lies inside the current node.
    """

    tile: Integers
    """Flat index of the tile that everything fixed so far covers, (n,)."""
    settled: Floats
    """What no outer loop changes any more, (n, metrics)."""
    pending: Floats
    """What reuse by outer loops still divides, per operand, (n, 3, metrics)."""
    words: Floats
    """Words of each operand on their way to the next memory outwards that holds it, (n, 3)."""
    carried: Integers
    """Flat index of the tile whose words one of these transfers carries, all instances together, (n, 3)."""
    waiting: NDArray[np.bool_]
    """Whether those words can still be reused, (n, 3)."""
    credit: Floats
    """What partial results that begin at zero do not cost, (n, metrics)."""
    pooled: Floats
    """Bits of the pool that the pooled memories inside take, (n,)."""
    parent: Integers
    """Position of the partial mapping that each was grown from, (n,)."""
    choice: Integers
    """Which operand the newest temporal loops keep in place, (n,)."""

    def __len__(self) -> int:
        return len(self.tile)

    def take(self, positions: Integers | NDArray[np.bool_]) -> Frontier:
        """Select partial mappings."""
        return Frontier(*(getattr(self, field.name)[positions] for field in fields(self)))

    @staticmethod
    def join(parts: Sequence[Frontier]) -> Frontier:
        """Concatenate partial mappings."""
        return Frontier(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Frontier)))
