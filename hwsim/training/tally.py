"""How often the steps of a run executed each module with which facts, span by span.

Costs add up over operators, and what an operator costs depends on the facts of its own module only. So the counts of
every module's facts are all that an exact cost of any number of steps needs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwsim.training.facts import AS_TRACED, Facts, Mixture
from hwsim.training.history import History, table

PARTS = 64
"""Spans of a run without marks."""
_CHUNK = 1 << 16  # steps whose states are expanded at a time


class Span(NamedTuple):
    """Successive steps of one epoch and one stage."""

    epoch: int | None
    stage: str
    first_step: int
    steps: int
    samples: int


class Column(NamedTuple):
    """Something whose executions are counted."""

    structure: int
    """Number of the distinct step."""
    module: str | None
    """Path of the annotated module; None for operators outside all of them."""
    facts: Facts
    """Without how often they hold."""


@dataclass(frozen=True)
class Tally:
    """Counts of all columns in all spans."""

    spans: tuple[Span, ...]
    columns: tuple[Column, ...]
    times: NDArray[np.float64]
    """Expected executions, shape (spans, columns)."""
    updates: NDArray[np.float64]
    """Steps in which the module ran for any input, so that its parameters were updated."""


Counts = Mapping[tuple[int, str | None], Mapping[Mixture, float]]
"""Steps, by distinct step and annotated module, by facts."""


def tally(spans: Sequence[tuple[Span, Counts]]) -> Tally:
    """Return the counts of ``spans`` as a table."""
    places: dict[Column, int] = {}
    entries: list[tuple[int, int, float, float]] = []
    for row, (_, counts) in enumerate(spans):
        for (structure, module), mixtures in counts.items():
            for mixture, steps in mixtures.items():
                entries += _entries(row, structure, module, mixture, steps, places)
    times, updates = np.zeros((2, len(spans), len(places)))
    for row, place, expected, ran in entries:
        times[row, place] += expected
        updates[row, place] += ran
    return Tally(tuple(span for span, _ in spans), tuple(places), times, updates)


def _entries(
    row: int, structure: int, module: str | None, mixture: Mixture, steps: float, places: dict[Column, int]
) -> Iterable[tuple[int, int, float, float]]:
    running = sum(part.share for part in mixture if part.executed)
    for part in mixture:
        place = places.setdefault(Column(structure, module, part.plain), len(places))
        ran = steps * part.share / running if part.executed else 0.0
        yield row, place, steps * part.share * part.executed, ran


def spans_of(history: History) -> list[tuple[Span, Counts]]:
    """Return the spans of a log with the counts of each; marks begin them, else they are `PARTS` equal ones."""
    states, numbers, samples = history.states(), table(history.structures), table(history.samples)
    annotated = np.flatnonzero(states.any(axis=0))
    begins = [step for step, _ in history.marks] or [history.steps * part // PARTS for part in range(PARTS)]
    bounds = sorted({0, history.steps, *begins})
    marks: dict[int, list[tuple[int | None, str | None]]] = defaultdict(list)
    for step, mark in history.marks:
        marks[step].append((mark.epoch, mark.stage))
    found: list[tuple[Span, Counts]] = []
    epoch, stage = None, ""
    for first, end in pairwise(bounds):
        for new_epoch, new_stage in marks[first]:
            epoch = epoch if new_epoch is None else new_epoch
            stage = stage if new_stage is None else new_stage
        counts: dict[tuple[int, str | None], dict[Mixture, float]] = {}
        for number in np.unique(numbers[first:end]).tolist():
            steps = first + np.flatnonzero(numbers[first:end] == number)
            counts[number, None] = {AS_TRACED: float(len(steps))}
            of_modules = _modules(history, states, steps, annotated)
            counts |= {(number, path): mixtures for path, mixtures in of_modules}
        found.append((Span(epoch, stage, first, end - first, int(samples[first:end].sum())), counts))
    return found


def _modules(
    history: History, states: NDArray[np.uint32], steps: NDArray[np.int64], annotated: NDArray[np.int64]
) -> Iterable[tuple[str, dict[Mixture, float]]]:
    """Count the facts of every annotated module over ``steps``, given their numbers."""
    facts = len(history.mixtures)
    several = [step for step in steps.tolist() if step in history.passes] if history.passes else []
    rows = table(history.rows)[np.setdiff1d(steps, several, assume_unique=True)]
    counts = np.zeros(annotated.size * facts, dtype=np.int64)
    offsets = np.arange(annotated.size) * facts
    for start in range(0, len(rows) if annotated.size else 0, _CHUNK):
        chosen = states[rows[start : start + _CHUNK]][:, annotated] + offsets
        counts += np.bincount(chosen.ravel(), minlength=counts.size)
    for place, of_module in zip(annotated.tolist(), counts.reshape(-1, facts), strict=True):
        found = {history.mixtures[number]: float(of_module[number]) for number in np.flatnonzero(of_module)}
        passes = Counter(tuple(states[list(history.passes[step]), place].tolist()) for step in several)
        for numbers, times in passes.items():
            mixture = _in_turn([history.mixtures[number] for number in numbers])
            found[mixture] = found.get(mixture, 0.0) + times
        yield history.modules[place], found


def _in_turn(mixtures: Sequence[Mixture]) -> Mixture:
    """Return the facts of a step whose forward passes, equal parts of its inputs, have facts of their own."""
    shares: dict[Facts, float] = {}
    for mixture in mixtures:
        for part in mixture:
            whole = part.model_copy(update={"share": 1.0})
            shares[whole] = shares.get(whole, 0.0) + part.share / len(mixtures)
    return tuple(facts.model_copy(update={"share": share}) for facts, share in shares.items())
