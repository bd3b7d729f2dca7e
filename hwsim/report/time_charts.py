"""Charts of a training run over its steps, as plain plotly figures: energy beside accuracy, and modules by epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, Literal

from hwsim.cost.result import Result
from hwsim.cost.timeline import Point, Timeline
from hwsim.report.charts import Figure, Rows, clipped, rounded
from hwsim.report.comparison import energy_unit, labels
from hwsim.report.epochs import epoch_name
from hwsim.report.levels import level_title
from hwsim.report.palette import COMPONENT_STYLES, PHASE_STYLES, shade
from hwsim.report.training import accuracies
from hwsim.report.units import in_units, unit_for

COLUMNS = 200
"""Most columns of the heat map, and points of a line; more epochs are taken together."""
LOGGED = 400
"""Most values of a metric that are drawn; evenly chosen, the last among them."""
_LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8f98", "#7fcbb0")
_HEAT = [[0.0, "#f2f6f9"], [0.5, "#56b4e9"], [1.0, "#003f63"]]


def has_time(results: Sequence[Result]) -> bool:
    """Whether any result is a training run of several points."""
    return any(result.timeline is not None and len(result.timeline.points) > 1 for result in results)


def progress_figure(results: Sequence[Result]) -> Figure:
    """Energy spent so far on every architecture over the steps; logged accuracies on the second axis."""
    unit = energy_unit(results)
    data: list[dict[str, Any]] = []
    for place, (result, label) in enumerate(zip(results, labels(results), strict=True)):
        points = drawn(result.timeline)
        sums = list(accumulate((point.energy_j for point in points), initial=0.0))
        told = (_so_far(label, point, total) for point, total in zip(points, sums[1:], strict=True))
        data.append({
            "type": "scatter", "mode": "lines", "name": clipped(label, 60), "x": _ends(points),
            "y": rounded(total / unit.size for total in sums), "hoverinfo": "text", "hovertext": ["start", *told],
            "line": {"color": _LINES[place % len(_LINES)], "width": 2},
        })  # fmt: skip
    series = list(_metrics(results))
    names = ", ".join(dict.fromkeys(name for name, _ in series))
    right = {"title": {"text": names}, "overlaying": "y", "side": "right", "showgrid": False, "tickmode": "auto",
             "fixedrange": True, "automargin": True}  # fmt: skip
    layout = {
        "height": 400, "xaxis": {"title": {"text": "training step"}, "rangemode": "tozero", "fixedrange": True},
        "yaxis": {"title": {"text": f"energy so far ({unit.symbol})"}, "rangemode": "tozero", "fixedrange": True,
                  "automargin": True},
        **({"yaxis2": right} if series else {}), **_stages(results),
    }  # fmt: skip
    return {"data": [*data, *(drawing for _, drawing in series)], "layout": layout}


def breakdown_figure(result: Result) -> Figure:
    """Energy of a step by level of the hierarchy, stacked over the steps of the run."""
    names = {name for point in drawn(result.timeline) for name in point.energy_j_by_level}
    parts = [
        (name, level_title(name), shade(style.colour, place))
        for component, style in COMPONENT_STYLES.items()
        for place, name in enumerate(sorted(name for name in names if name.partition(".")[0] == component))
    ]
    return _stack(result, parts, lambda point: point.energy_j_by_level, "energy", "J")


def latency_figure(result: Result) -> Figure:
    """Time of a step by phase, stacked over the steps of the run."""
    parts = [(str(phase), style.name, style.colour) for phase, style in PHASE_STYLES.items()]
    return _stack(result, parts, lambda point: point.latency_s_by_phase, "latency", "s")


def heat_figure(result: Result, rows: Sequence[Rows], quantity: Literal["energy", "latency"] = "energy") -> Figure:
    """Energy or time of a step by module (rows, as in the chart of modules) and epoch (columns)."""
    points = drawn(result.timeline)
    spent = [point.energy_j_by_module if quantity == "energy" else point.latency_s_by_module for point in points]
    values = [
        [
            math.fsum(of.get(member, 0.0) for member in row.members) / point.steps
            for point, of in zip(points, spent, strict=True)
        ]
        for row in rows
    ]  # fmt: skip
    unit = unit_for((value for row in values for value in row), "J" if quantity == "energy" else "s")
    heat = {
        "type": "heatmap", "z": [rounded(value / unit.size for value in row) for row in values],
        "x": [_name(point) for point in points], "y": [clipped(row.title) for row in rows], "colorscale": _HEAT,
        "zmin": 0, "colorbar": {"title": {"text": f"{unit.symbol} a step", "side": "right"}, "thickness": 14},
        "hovertemplate": f"%{{y}}, %{{x}}: %{{z:.4g}} {unit.symbol} a step<extra></extra>",
    }  # fmt: skip
    layout = {
        "height": 100 + 20 * len(rows), "xaxis": {"type": "category", "nticks": 20, "fixedrange": True},
        "yaxis": {"type": "category", "autorange": "reversed", "automargin": True, "fixedrange": True, "dtick": 1},
    }  # fmt: skip
    return {"data": [heat], "layout": layout}


def _stack(
    result: Result, parts: Sequence[tuple[str, str, str]], of: Callable[[Point], Mapping[str, float]],
    quantity: str, base: str,
) -> Figure:  # fmt: skip
    """Stack ``parts`` (key, name and colour), each its mean over the steps of every point."""
    points = drawn(result.timeline)
    rates = [{name: value / point.steps for name, value in of(point).items()} for point in points]
    unit = unit_for((math.fsum(rate.values()) for rate in rates), base)
    data = [
        {
            "type": "scatter", "mode": "lines", "stackgroup": quantity, "name": title, "x": _middles(points),
            "y": rounded(rate.get(key, 0.0) / unit.size for rate in rates),
            "line": {"color": colour, "width": 1}, "fillcolor": colour, "hoverinfo": "text",
            "hovertext": [
                f"{title}, {_name(point)}: {in_units(rate.get(key, 0.0), base)} a step"
                for point, rate in zip(points, rates, strict=True)
            ],
        }
        for key, title, colour in parts if any(rate.get(key) for rate in rates)
    ]  # fmt: skip
    layout = {
        "height": 340, "xaxis": {"title": {"text": "training step"}, "fixedrange": True},
        "yaxis": {"title": {"text": f"{quantity} of a step ({unit.symbol})"}, "rangemode": "tozero", "fixedrange": True,
                  "automargin": True},
    }  # fmt: skip
    return {"data": data, "layout": layout}


def drawn(line: Timeline | None) -> list[Point]:
    """Return the points with steps, so many together that at most `COLUMNS` remain."""
    points = [point for point in (line.points if line else ()) if point.steps]
    each = -(-len(points) // COLUMNS) or 1
    return [_together(points[start : start + each]) for start in range(0, len(points), each)]


def _together(points: Sequence[Point]) -> Point:
    if len(points) == 1:
        return points[0]
    changes: dict[str, Any] = {
        name: sum(getattr(point, name) for point in points)
        for name in ("steps", "samples", "energy_j", "latency_s", "dram_bytes", "uncertainty_j")
    }
    for name in (name for name in Point.model_fields if "_by_" in name):
        sums: dict[str, float] = {}
        for point in points:
            for key, value in getattr(point, name).items():
                sums[key] = sums.get(key, 0.0) + value
        changes[name] = sums
    return points[0].model_copy(update=changes)


def _ends(points: Sequence[Point]) -> list[int]:
    return [0, *(point.first_step + point.steps for point in points)]


def _middles(points: Sequence[Point]) -> list[float]:
    return [point.first_step + point.steps / 2 for point in points]


def _name(point: Point) -> str:
    return clipped(epoch_name(point), 60)


def _so_far(label: str, point: Point, total_j: float) -> str:
    own = f"{in_units(point.energy_j, 'J')} ± {in_units(point.uncertainty_j, 'J', 2)}"
    until = f"until the end of {_name(point)}: {in_units(total_j, 'J')}"
    return f"<b>{clipped(label, 60)}</b><br>{until}<br>of it in there {own}"


def _metrics(results: Sequence[Result]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the accuracies of all runs, each run once however many architectures it is on."""
    seen = set()
    for name in accuracies(results):
        for result in results:
            series = result.timeline.metrics.get(name, ()) if result.timeline else ()
            if not series or (result.workload, name, series) in seen:
                continue
            seen.add((result.workload, name, series))
            every = -(-len(series) // LOGGED)
            shown = [*series[:-1:every], series[-1]]
            title = clipped(f"{name}, {result.workload}", 60)
            yield name, {
                "type": "scatter", "mode": "lines+markers", "name": title, "yaxis": "y2",
                "x": [step for step, _ in shown],
                "y": [value if math.isfinite(value) else None for value in rounded(value for _, value in shown)],
                "line": {"color": "#8a8f98", "dash": "dot"}, "marker": {"size": 4},
                "hovertemplate": f"{title}: %{{y}} after step %{{x}}<extra></extra>",
            }  # fmt: skip


def _stages(results: Sequence[Result]) -> dict[str, Any]:
    """Return lines and names where stages of the first run begin."""
    points = drawn(next(result.timeline for result in results if result.timeline))
    begins = [(p.first_step, p.stage) for before, p in zip([None, *points], points, strict=False)
              if p.stage and (before is None or before.stage != p.stage)][:30]  # fmt: skip
    shapes = [
        {"type": "line", "xref": "x", "yref": "paper", "x0": step, "x1": step, "y0": 0, "y1": 1,
         "line": {"color": "#8a8f98", "width": 1, "dash": "dash"}}
        for step, _ in begins
    ]  # fmt: skip
    names = [
        {"x": step, "xref": "x", "y": 1, "yref": "paper", "yanchor": "top", "xanchor": "left", "showarrow": False,
         "text": clipped(stage, 24), "textangle": 90, "font": {"size": 11}}
        for step, stage in begins
    ]  # fmt: skip
    return {"shapes": shapes, "annotations": names}
