"""Beats of a predictive-sign PE whose threshold lies where the predictor ends: random ones nearly always miss it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtl.pe.element import accumulate
from rtl.pe.predictive import PredictiveSignPE

Array = NDArray[Any]

_LONGEST = 6
"""Products of a sum."""


def meeting(
    pe: PredictiveSignPE, beats: dict[str, Array], generator: np.random.Generator
) -> tuple[dict[str, Array], Array]:
    """Return the sums that ``beats`` make in short groups, each in its two passes, and where they start.

    The threshold of a sum is what the predictor reaches, one more, one less, or that with one bit changed.
    """
    count, columns, starts = len(beats["x"]), [], []
    place = 0
    while place < count:
        length = min(int(generator.integers(1, _LONGEST, endpoint=True)), count - place)
        part = {name: column[place : place + length] for name, column in beats.items()}
        part = settle(pe, {**part, "rest": np.zeros(length, np.int64)}, generator)
        columns += [part, {**part, "rest": np.ones(length, np.int64)}]
        starts.append(np.arange(2 * length) == 0)
        place += length
    return {name: np.concatenate([part[name] for part in columns]) for name in pe.operands}, np.concatenate(starts)


def settle(pe: PredictiveSignPE, run: dict[str, Array], generator: np.random.Generator) -> dict[str, Array]:
    """Return a first pass with a threshold at or beside the magnitude that the predictor reaches in it."""
    length = len(run["x"])
    high = pe.high_terms(run["x"], run["g"])
    end = abs(int(accumulate(high, np.arange(length) == 0, pe.predictor_bits, pe.overflow)[-1]))
    near = [end, end, end + 1, max(end - 1, 0), end ^ (1 << int(generator.integers(pe.predictor_bits)))]
    threshold = min(int(generator.choice(near)), (1 << pe.predictor_bits) - 1)
    return {**run, "threshold": np.full(length, threshold)}
