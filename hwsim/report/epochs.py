"""What every epoch and stage of a training run took, as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from hwsim.cost.result import Result
from hwsim.cost.timeline import Point
from hwsim.errors import InputError
from hwsim.report.details import Table
from hwsim.report.units import percent, unit_for

By = Literal["total", "phase", "component", "level", "module"]
_HEAD = ("Steps", "Samples", "Energy", "Standard uncertainty", "Latency", "DRAM traffic", "Peak memory")
_BASES = ("", "", "J", "J", "s", "B", "B")


def epoch_table(result: Result, by: By = "total") -> Table:
    """Return a row for every epoch and stage, or for each of their phases, components, levels or modules.

    Raises
    ------
    InputError
        If ``result`` is not one of a training run.
    """
    if result.timeline is None:
        raise InputError("must be of a training run to have epochs", field="result", value=result.workload)
    points = [point for point in result.timeline.points if point.steps]
    return _totals(points) if by == "total" else _parts(points, by)


def epoch_name(point: Point) -> str:
    """The epoch, or where it begins in a run without epochs, and the stage."""
    name = f"from step {point.first_step:,}" if point.epoch is None else f"epoch {point.epoch}"
    return f"{name}, {point.stage}" if point.stage else name


def _totals(points: Sequence[Point]) -> Table:
    columns = list(zip(*(
        (p.steps, p.samples, p.energy_j, p.uncertainty_j, p.latency_s, p.dram_bytes, p.peak_memory_bytes)
        for p in points
    ), strict=True))  # fmt: skip
    cells: list[list[str]] = []
    head = ["Epoch"]
    for name, base, values in zip(_HEAD, _BASES, columns, strict=True):
        unit = unit_for(values, base)
        head.append(f"{name} ({unit.symbol})" if base else name)
        cells.append([unit.number(value) if base else f"{value:,}" for value in values])
    rows = tuple((epoch_name(point), *row) for point, row in zip(points, zip(*cells, strict=True), strict=True))
    return Table(tuple(head), rows, frozenset(range(1, len(head))))


def _parts(points: Sequence[Point], by: Literal["phase", "component", "level", "module"]) -> Table:
    parts = [(point, *part) for point in points for part in _of_point(point, by)]
    energy = unit_for((energy_j for _, _, energy_j, _ in parts), "J")
    latency = unit_for((latency_s or 0.0 for *_, latency_s in parts), "s")
    timed = by in {"phase", "module"}
    rows = tuple(
        (epoch_name(point), name or "(none)", energy.number(energy_j),
         percent(energy_j / point.energy_j if point.energy_j else 0.0),
         *([latency.number(latency_s)] if latency_s is not None else []))
        for point, name, energy_j, latency_s in parts
    )  # fmt: skip
    times = (f"Latency ({latency.symbol})",) if timed else ()
    head = ("Epoch", by.capitalize(), f"Energy ({energy.symbol})", "%", *times)
    return Table(head, rows, frozenset(range(2, len(head))))


def _of_point(point: Point, by: str) -> Iterator[tuple[str, float, float | None]]:
    """Yield name, energy and, where time can be told apart, latency of every part."""
    energies: Mapping[str, float] = getattr(point, f"energy_j_by_{by}")
    latencies: Mapping[str, float] = getattr(point, f"latency_s_by_{by}", {})
    for name, energy_j in energies.items():
        yield name, energy_j, latencies.get(name)
