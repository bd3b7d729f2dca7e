"""What a PE is driven with: beats, idle cycles, and the results that its twin expects."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.verify import float_stimulus, runs, sign_stimulus
from hwsim.formats.floats import LAYOUTS, FloatLayout
from rtl.pe.element import Accumulator, ProcessingElement
from rtl.pe.floating import FloatMac
from rtl.pe.predictive import PredictiveSignPE
from rtl.pe.ternary import TernaryAddPE

Array = NDArray[Any]

EXHAUSTIVE_BITS = 16
"""Operands of at most so many bits together are swept completely."""

_MOST_CORNERS = 2048
_FEWEST = 3000  # beats of a sweep; smaller ones are repeated in another order


@dataclass(frozen=True)
class Stimulus:
    """Beats in order.

    Attributes
    ----------
    operands
        One column of integers per operand port.
    first, last
        Booleans per beat.
    idle
        Cycles without a valid beat in front of each beat.
    results
        What each result port holds after each beat.
    cycles
        Cycles from taking the beat to being ready for the next.
    overflow
        Per beat -1, 0 or 1: the exact sum left the accumulator below, not at all or above.
    """

    operands: dict[str, Array]
    first: Array
    last: Array
    idle: Array
    results: dict[str, Array]
    cycles: Array
    overflow: Array

    def __len__(self) -> int:
        return len(self.first)

    def head(self, count: int) -> Stimulus:
        """Return the first ``count`` beats; sums that they leave open stay open."""
        cut = slice(count)
        return Stimulus(
            operands={name: column[cut] for name, column in self.operands.items()},
            results={name: column[cut] for name, column in self.results.items()},
            first=self.first[cut], last=self.last[cut], idle=self.idle[cut],
            cycles=self.cycles[cut], overflow=self.overflow[cut],
        )  # fmt: skip

    def save(self, path: Path) -> None:
        """Write the columns to an ``.npz`` file."""
        columns: dict[str, Any] = {
            **{f"operand.{name}": column for name, column in self.operands.items()},
            **{f"result.{name}": column for name, column in self.results.items()},
            "first": self.first, "last": self.last, "idle": self.idle, "cycles": self.cycles,
            "overflow": self.overflow,
        }  # fmt: skip
        np.savez(path, **columns)

    @classmethod
    def load(cls, path: Path) -> Stimulus:
        """Read what `save` wrote."""
        with np.load(path) as file:
            columns = dict(file)
        operands = {k.removeprefix("operand."): v for k, v in columns.items() if k.startswith("operand.")}
        results = {k.removeprefix("result."): v for k, v in columns.items() if k.startswith("result.")}
        rest = {name: columns[name] for name in ("first", "last", "idle", "cycles", "overflow")}
        return cls(operands=operands, results=results, **rest)


def make(pe: ProcessingElement, count: int, seed: int) -> Stimulus:
    """Return corner products, runs to the limits of the accumulator, and an exhaustive or a random sweep.

    Floating-point operands also meet the accumulator at every distance (`float_stimulus`), and an
    exhaustive sweep of theirs has each product once alone: a NaN before it would hide it. A predicted sign has
    thresholds where the predictor ends (`sign_stimulus.meeting`).

    Parameters
    ----------
    pe
        Whose operands.
    count
        Random beats, where the operands have more than `EXHAUSTIVE_BITS` bits together.
    seed
        Of the random choices.
    """
    generator = np.random.default_rng(seed)
    exhaustive = pe.operand_bits <= EXHAUSTIVE_BITS
    sweep = _sweep(pe, generator) if exhaustive else _random(pe, count, generator)
    parts = [_mixed(_corner_products(pe, generator), pe, generator)]
    parts += [_run(run, pe) for run in _runs(pe, generator)]
    if isinstance(pe, FloatMac):
        for sums in (float_stimulus.left_over, float_stimulus.ties):
            three, starts = sums(LAYOUTS[pe.form], count // 20, generator)
            parts.append((three, starts, np.roll(starts, -1)))
        parts.append(_mixed(float_stimulus.near(LAYOUTS[pe.form], count // 3, generator), pe, generator))
    if isinstance(pe, PredictiveSignPE):
        met, starts = sign_stimulus.meeting(pe, _random(pe, count // 3, generator), generator)
        parts.append((met, starts, np.ones(len(starts), bool)))
    parts.append(_mixed(sweep, pe, generator))
    if isinstance(pe, FloatMac) and exhaustive:
        parts.append((sweep, *(np.ones(len(_any(sweep)), bool),) * 2))
    columns, firsts, lasts = zip(*parts, strict=True)
    first, last = np.concatenate(firsts), np.concatenate(lasts)
    beats = {name: np.concatenate([part[name] for part in columns]) for name in pe.operands}
    if pe.restart == "last":
        first = np.roll(last, 1)
    first[0] = True
    return annotate(pe, beats, first, last, generator)


Part = tuple[dict[str, Array], Array, Array]
"""Operands of some beats, where sums start and where they end."""


def _runs(pe: ProcessingElement, generator: np.random.Generator) -> list[dict[str, Array]]:
    """Sums that overflow the accumulator, sums that end at a limit, and walks of a shift register."""
    if not isinstance(pe, Accumulator):
        return []
    rows = _corner_rows(pe)
    if isinstance(pe, PredictiveSignPE):
        return sign_stimulus.limits(pe, rows, generator)
    walks = runs.walks(pe, generator) if isinstance(pe, TernaryAddPE) else []
    return runs.overflowing(pe, rows) + runs.landings(pe, rows) + walks


def _run(run: dict[str, Array], pe: ProcessingElement) -> Part:
    """One sum; every result on the way is looked at, unless that would end the sum."""
    place = np.arange(len(_any(run)))
    last = np.ones(len(place), bool) if pe.restart == "first" else place == len(place) - 1
    return run, place == 0, last


def _mixed(part: dict[str, Array], pe: ProcessingElement, generator: np.random.Generator) -> Part:
    """Starts and ends at random; the last beat ends a sum."""
    ends = 0.8 if pe.restart == "first" else 0.4  # where the end restarts the sum, most beats go on
    first = generator.random(len(_any(part))) < 0.4
    last = generator.random(len(first)) < ends
    last[-1] = True
    return part, first, last


def annotate(
    pe: ProcessingElement, beats: dict[str, Array], first: Array, last: Array, generator: np.random.Generator
) -> Stimulus:
    """Return the beats with idle cycles, the twin's results and where the exact sums overflow."""
    idle = np.where(generator.random(len(first)) < 0.8, 0, generator.integers(1, 5, len(first)))
    return Stimulus(
        operands=beats,
        first=first,
        last=last,
        idle=idle,
        results=pe.compute(first, **beats),
        cycles=pe.cycles(**beats),
        overflow=_overflow(pe, beats, first),
    )


def limits(pe: ProcessingElement, name: str) -> tuple[int, int]:
    """Return the least and the greatest integer of an operand port."""
    shape = pe.operand_shape(name)
    return (
        (-(1 << (shape.width - 1)), (1 << (shape.width - 1)) - 1)
        if shape.signed
        else (0, (1 << shape.width) - 1)
    )


def corners(pe: ProcessingElement, name: str) -> list[int]:
    """Return the integers of an operand port where defects like to hide."""
    low, high = limits(pe, name)
    shape = pe.operand_shape(name)
    if pe.operands[name] in LAYOUTS:
        return special_codes(LAYOUTS[pe.operands[name]])
    if shape.width <= 3:
        return list(range(low, high + 1))
    half = 1 << (shape.width - 2)
    return sorted({low, low + 1, -1 if shape.signed else half * 2, 0, 1, half - 1, half, high - 1, high})


def special_codes(layout: FloatLayout) -> list[int]:
    """Return zeros, the ends of the subnormal and the normal numbers, one, infinities and NaNs."""
    smallest, one = 1 << layout.mantissa, layout.bias << layout.mantissa
    top = (1 << (layout.bits - 1)) - 1
    body = {0, 1, smallest - 1, smallest, smallest + 1, one, one + 1, one - 1, layout.largest_code - 1,
            layout.largest_code, layout.largest_code + 1, layout.nan_code, top}  # fmt: skip
    return sorted(body | {code | (1 << (layout.bits - 1)) for code in body})


def _corner_products(pe: ProcessingElement, generator: np.random.Generator) -> dict[str, Array]:
    axes = {name: corners(pe, name) for name in pe.operands}
    total = int(np.prod([len(axis) for axis in axes.values()]))
    if total <= _MOST_CORNERS:
        rows = np.asarray(list(itertools.product(*axes.values())))
    else:
        rows = np.stack([generator.choice(axis, _MOST_CORNERS) for axis in axes.values()], axis=1)
    return dict(zip(axes, rows.T, strict=True))


def _sweep(pe: ProcessingElement, generator: np.random.Generator) -> dict[str, Array]:
    rounds = -(-_FEWEST // (1 << pe.operand_bits))
    index = np.concatenate([generator.permutation(1 << pe.operand_bits) for _ in range(rounds)])
    columns = {}
    for name in pe.operands:
        low, high = limits(pe, name)
        columns[name] = index % (high - low + 1) + low
        index = index // (high - low + 1)
    return columns


def _random(pe: ProcessingElement, count: int, generator: np.random.Generator) -> dict[str, Array]:
    """Half uniform, half with a uniform number of significant bits."""
    columns = {}
    for name in pe.operands:
        low, high = limits(pe, name)
        uniform = generator.integers(low, high, count, endpoint=True)
        drop = generator.integers(0, pe.operand_shape(name).width, count)
        columns[name] = np.where(generator.random(count) < 0.5, uniform, uniform >> drop)
    return columns


def reachable_overflow(pe: ProcessingElement) -> list[int]:
    """Return the directions, -1 and 1, in which `runs.LONGEST_RUN` beats can leave the accumulator."""
    if not isinstance(pe, Accumulator):
        return []
    filled = runs.overflowing(pe, _corner_rows(pe))
    return sorted({1 if int(pe.terms(**run)[-1]) > 0 else -1 for run in filled})


def _corner_rows(pe: ProcessingElement) -> dict[str, Array]:
    axes = [corners(pe, name) for name in pe.operands]
    rows = np.asarray(list(itertools.islice(itertools.product(*axes), 200_000)))
    return dict(zip(pe.operands, rows.T, strict=True))


def _overflow(pe: ProcessingElement, beats: dict[str, Array], first: Array) -> Array:
    if not isinstance(pe, Accumulator):
        return np.zeros(len(first), np.int64)
    low, high = -(1 << (pe.accumulator - 1)), (1 << (pe.accumulator - 1)) - 1
    sums = pe.compute(first, **beats)["acc"]
    before = np.where(first, 0, np.roll(sums, 1))
    exact = before + pe.terms(**beats)
    return np.where(exact < low, -1, np.where(exact > high, 1, 0))


def _any(columns: dict[str, Array]) -> Array:
    return next(iter(columns.values()))
