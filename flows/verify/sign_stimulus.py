"""Beats of a predictive-sign PE whose threshold lies where the predictor ends, and sums that pass every limit of it.

Random beats nearly always miss the one, and never reach the others.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.verify import runs
from rtl.pe.element import accumulate
from rtl.pe.predictive import PredictiveSignPE

Array = NDArray[Any]
Columns = dict[str, Array]

_LONGEST = 6
"""Products of a sum."""


def meeting(
    pe: PredictiveSignPE, beats: Columns, generator: np.random.Generator
) -> tuple[Columns, Array]:
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


def settle(pe: PredictiveSignPE, run: Columns, generator: np.random.Generator) -> Columns:
    """Return a first pass with a threshold at or beside the magnitude that the predictor reaches in it."""
    length = len(run["x"])
    high = pe.high_terms(run["x"], run["g"])
    end = abs(int(accumulate(high, np.arange(length) == 0, pe.predictor_bits, pe.overflow)[-1]))
    near = [end, end, end + 1, max(end - 1, 0), end ^ (1 << int(generator.integers(pe.predictor_bits)))]
    threshold = min(int(generator.choice(near)), (1 << pe.predictor_bits) - 1)
    return {**run, "threshold": np.full(length, threshold)}


def limits(pe: PredictiveSignPE, rows: Columns, generator: np.random.Generator) -> list[Columns]:
    """Return runs and landings (`runs`) of each pass, and runs of both in one sum.

    Those of the first pass have their threshold where the predictor ends, and one beat of the second pass meets it; the
    others never reach theirs.
    """
    passes = [{name: column[rows["rest"] == rest] for name, column in rows.items()} for rest in (0, 1)]
    fill = [runs.overflowing(pe, part) for part in passes]
    land = [runs.landings(pe, part) for part in passes]
    both = [
        {name: np.concatenate([high[name], low[name]]) for name in pe.operands}
        for high, low in itertools.product(fill[0], fill[1])
    ]
    unsure = [*fill[1], *land[1], *both]
    met = [_and_one(settle(pe, run, generator)) for run in fill[0] + land[0]]
    return met + [_never_sure(pe, run) for run in unsure]


def _and_one(run: Columns) -> Columns:
    """The first pass of a sum, and one beat of its second."""
    more = {name: np.append(column, column[-1]) for name, column in run.items()}
    more["rest"][-1] = 1
    return more


def _never_sure(pe: PredictiveSignPE, run: Columns) -> Columns:
    return {**run, "threshold": np.full(len(run["x"]), (1 << pe.predictor_bits) - 1)}
