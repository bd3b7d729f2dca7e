"""A walk to the ends of a predictor: some mutants of its highest bits show only after a very long sum."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from flows.verify import stimulus
from flows.verify.simulate import MismatchError, simulate
from flows.verify.stimulus import Array, Stimulus
from rtl.pe.element import ProcessingElement, accumulate
from rtl.pe.predictive import PredictiveSignPE

LONGEST_WALK = 1 << 18
"""Products of one sum: a predictor of 30 bits takes half as many."""


def survivors(pe: ProcessingElement, netlist: Path, mutants: list[int], folder: Path) -> list[int]:
    """Return those of ``mutants`` that a walk does not betray either; a PE that is not walked keeps all.

    The simulation runs by itself while a beat is held, hence as machine code.
    """
    if not mutants or not isinstance(pe, PredictiveSignPE):
        return mutants
    beats, held = walk(pe)
    told = {"mutants": [0, *mutants], "held": held.tolist()}
    report = simulate(pe, beats, [netlist], folder, "verilator", "flows.verify.far_bench", told)
    found: list[int] = report["survivors"]
    if 0 not in found:
        raise MismatchError("the PE without a mutant fails")
    return found[1:]


def walk(pe: PredictiveSignPE) -> tuple[Stimulus, Array]:
    """Return beats, and for how many cycles each is held: a sum of the largest products, and one of the smallest.

    After as many products as a power of two, and one less, come three beats of the second pass: one that the predictor,
    which is just sure, ignores, and two that a threshold one above lets through, the first of them adding zero. These
    are the last of a sum, so that their results are looked at.
    """
    x, g = -(1 << (pe.x_bits - 1)), -(1 << (pe.g_bits - 1))
    sums = [_sum(pe, x, g), _sum(pe, x, ~g)]
    rows = {name: np.concatenate([one[name] for one in sums]) for name in sums[0]}
    held = rows.pop("held")
    first = np.concatenate([np.arange(len(one["x"])) == 0 for one in sums])
    ends = np.cumsum(held) - 1
    every = {name: np.repeat(column, held) for name, column in rows.items()}
    results = pe.compute(np.isin(np.arange(held.sum()), ends[first]), **every)
    beats = stimulus.annotate(pe, rows, first, rows["rest"] == 1, np.random.default_rng(0))
    return replace(beats, results={name: column[ends] for name, column in results.items()}), held


def _sum(pe: PredictiveSignPE, x: int, g: int) -> dict[str, Array]:
    """Products of ``x`` and ``g``, the first one alone, until the predictor has overflowed, with probes between."""
    high = int(pe.high_terms(np.asarray([x]), np.asarray([g]))[0])
    length = min((1 << (pe.predictor_bits - 1)) // abs(high) + 1, LONGEST_WALK)
    reached = np.abs(accumulate(np.full(length, high), np.arange(length) == 0, pe.predictor_bits, pe.overflow))
    powers = [1 << exponent for exponent in range(length.bit_length())]
    stops = sorted({stop for power in powers for stop in (power - 1, power) if 0 < stop < length} | {length})
    parts, place = [], 0
    for stop in stops:
        magnitude = int(reached[stop - 1])
        parts.append([(x, g, 0, 0, stop - place), (1, 1, 1, magnitude, 1), (0, 0, 1, magnitude + 1, 1),
                      (1, 1, 1, magnitude + 1, 1)])  # fmt: skip
        place = stop
    columns = np.asarray(parts).reshape(-1, 5).T
    return dict(zip((*pe.operands, "held"), columns, strict=True))
