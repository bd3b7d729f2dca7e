"""The part of a comparison that only training runs have: epochs, and what accuracy cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hwsim.cost.result import Result
from hwsim.cost.timeline import Timeline
from hwsim.report.units import in_units, significant, unit_for

if TYPE_CHECKING:
    from hwsim.report.comparison import Row

MOST = 3
"""Metrics that are shown, at most."""
MORE_IS_BETTER = ("acc", "f1", "iou", "bleu")
"""Parts of names of metrics of which more is better."""


def training_rows(results: Sequence[Result], row: Callable[..., Row]) -> tuple[Row, ...]:
    """Return the rows of results that are training runs; none if no result is."""
    lines = [result.timeline for result in results]
    rows = []
    epochs = [len({p.epoch for p in line.points if p.epoch is not None}) if line else 0 for line in lines]
    if any(epochs):
        rows.append(row("Epochs", "", tuple(f"{count:,}" if count else "-" for count in epochs)))
        means = [r.energy_j / count if count else 0.0 for r, count in zip(results, epochs, strict=True)]
        unit = unit_for(means, "J")
        rows.append(row("Energy per epoch, mean", unit.symbol, tuple(unit.number(m) if m else "-" for m in means)))
    if any(line and _memory(line) for line in lines):
        cells = tuple(in_units(_memory(line), "B") if line and _memory(line) else "-" for line in lines)
        rows.append(row("Peak memory of a step", "", cells))
    for metric in accuracies(results):
        of_metric = [line if line and line.metrics.get(metric) else None for line in lines]
        rows.append(row(f"Best {metric}", "", tuple(_best(line, metric) for line in of_metric)))
        spent = tuple(_spent(line, metric) for line in of_metric)
        rows.append(row("Energy per unit of it", "", spent))
    return tuple(rows)


def accuracies(results: Sequence[Result]) -> list[str]:
    """Names of logged metrics of which more is better."""
    names = [name for result in results if result.timeline for name in result.timeline.metrics]
    return [name for name in dict.fromkeys(names) if any(word in name.lower() for word in MORE_IS_BETTER)][:MOST]


def _memory(line: Timeline) -> int:
    return max((point.peak_memory_bytes for point in line.points), default=0)


def _best(line: Timeline | None, metric: str) -> str:
    return significant(line.best(metric)[1]) if line else "-"


def _spent(line: Timeline | None, metric: str) -> str:
    if line is None:
        return "-"
    step, value = line.best(metric)
    return in_units(line.energy_until(step) / value, "J") if value > 0 else "-"
