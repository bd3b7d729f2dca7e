"""In which cycles an array takes a beat while it sums, from what the cycle model knows of a convolution."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.cost.accelerator_program import Convolution


def pace(work: Convolution, rows: int, interval: int) -> NDArray[np.bool_]:
    """Return where there are beats in one of many equal sums: a place for each beat and each cycle without one.

    Parameters
    ----------
    rows
        Of the array: it collects as many words, one a cycle, while it plays those before.
    interval
        Fewest cycles between the ends of two sums of beats of a cycle.
    """
    places: list[bool] = []
    for skipped, beats in work.words:
        late = max(rows - skipped - beats * work.beat_cycles, 0)
        places += [False] * skipped + [True] * beats + [False] * late
    places *= work.positions
    cycles = len(places) + (work.beat_cycles - 1) * sum(places)
    return np.array([False] * max(interval + work.beat_cycles - 1 - cycles, 0) + places)


def runs(work: Convolution, rows: int, interval: int) -> float:
    """Return how many times, in all sums, a beat is followed by a cycle without one."""
    if work.beat_cycles > 1:
        return work.beats
    places = pace(work, rows, interval)
    ends = int((places & ~np.roll(places, -1)).sum())
    return max(ends * work.sums, 1)
