"""The energy charts of the page, as plain plotly figures: modules of one result, phases of all."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from hwsim.cost.result import Result
from hwsim.report.comparison import energy_unit, labels
from hwsim.report.palette import COMPONENT_STYLES, PHASE_STYLES
from hwsim.report.units import Unit, counted, in_units, percent, unit_for

Figure = dict[str, Any]
"""``data`` and ``layout`` of plotly; text colours are left to the page's style sheet."""

LARGEST = 40
"""Modules with a bar of their own; the others share one."""
_ROW_PX, _FRAME_PX = 24, 100


class Bar(NamedTuple):
    """A horizontal bar, its parts being components."""

    position: float
    tick: str
    name: str
    energies_j: Mapping[str, float]
    whole_j: float
    """Energy that percentages refer to."""


class Rows(NamedTuple):
    """A row of the chart of modules and the modules it sums."""

    title: str
    members: tuple[str, ...]


def module_name(module: str) -> str:
    """How a module is called; operators outside of every module have none."""
    return module or "(outside modules)"


def module_rows(results: Sequence[Result], limit: int = LARGEST) -> list[Rows]:
    """At most ``limit`` rows of modules, and one for all others if there are more.

    Modules that share the beginning of their path share a row, as short a beginning as the limit asks for. Those rows
    with the largest share in any result are kept. They are in the order in which the modules first work.
    """
    share: dict[str, float] = {cost.module: 0.0 for result in results for cost in result.operators}
    for result in results:
        whole_j = result.energy_j or 1.0
        for (module,), energy in result.energy_j_by("module").items():
            share[module] = max(share[module], energy / whole_j)
    groups = _grouped(share, limit)
    weight = {title: math.fsum(share[module] for module in members) for title, members in groups.items()}
    largest = set(sorted(weight, key=lambda title: -weight[title])[:limit])
    rows = [Rows(module_name(title), tuple(members)) for title, members in groups.items() if title in largest]
    others = tuple(module for title in groups if title not in largest for module in groups[title])
    return [*rows, Rows(f"other: {counted(len(others), 'module')}", others)] if others else rows


def _grouped(modules: Iterable[str], limit: int) -> dict[str, list[str]]:
    """Modules by the beginning of their path: the longest that makes at most ``limit`` groups, but some at least."""
    paths = [module.split(".") for module in modules]
    deepest = max(map(len, paths))
    sizes = [len({tuple(path[:depth]) for path in paths}) for depth in range(1, deepest + 1)]
    depth = max((depth for depth, size in enumerate(sizes, start=1) if size <= limit), default=1)
    if depth < deepest and sizes[depth - 1] < limit // 4:
        depth += 1
    groups: dict[str, list[str]] = {}
    for path in paths:
        groups.setdefault(".".join(path[:depth]), []).append(".".join(path))
    return groups


def module_figures(results: Sequence[Result], rows: Sequence[Rows]) -> list[Figure]:
    """Energy of ``rows`` by component, one figure per result, all in the same unit.

    The layout's ``meta`` holds the range of an axis that suits all of them.
    """
    bars = [_module_bars(result, rows) for result in results]
    unit = unit_for((math.fsum(bar.energies_j.values()) for group in bars for bar in group), "J")
    figures = [_stacked(group, unit) for group in bars]
    widest = max(figure["layout"]["xaxis"]["range"][1] for figure in figures)
    for figure in figures:
        figure["layout"]["meta"] = {"shared_range": [0, widest]}
    return figures


def phase_figure(results: Sequence[Result]) -> Figure:
    """Energy of every phase by component, the results below each other."""
    present = {cost.phase for result in results for cost in result.operators}
    names = {phase: style.name for phase, style in PHASE_STYLES.items() if phase in present}
    bars: list[Bar] = []
    titles = []
    top = 0.0
    unit = energy_unit(results)
    for result, heading in zip(results, labels(results), strict=True):
        energies, whole_j = result.energy_j_by("phase", "component"), result.energy_j
        titles.append(_title(f"<b>{clipped(heading, 60)}</b>  {unit.text(whole_j)}", top))
        for row, (phase, name) in enumerate(names.items(), start=1):
            parts: dict[str, float] = {part: energies.get((phase, part), 0.0) for part in COMPONENT_STYLES}
            bars.append(Bar(top + row, name, f"{heading}: {name}", parts, whole_j))
        top += len(names) + 1.7
    figure = _stacked(bars, unit)
    figure["layout"] |= {"annotations": titles, "height": _FRAME_PX + _ROW_PX * math.ceil(top)}
    figure["layout"]["yaxis"]["range"] = [top - 0.9, -0.7]
    return figure


def clipped(text: str, longest: int = 30) -> str:
    """``text`` escaped for plotly, its middle left out where it is too long."""
    kept = longest // 2 - 1
    return escape(text if len(text) <= longest else f"{text[:kept]}…{text[-kept:]}")


def rounded(values: Iterable[float]) -> list[float]:
    """Values as a chart needs them: six digits."""
    return [float(f"{value:.6g}") for value in values]


def _module_bars(result: Result, rows: Sequence[Rows]) -> list[Bar]:
    energies, whole_j = result.energy_j_by("module", "component"), result.energy_j
    return [
        Bar(position, row.title, row.title, _sum(energies, row.members), whole_j) for position, row in enumerate(rows)
    ]


def _sum(energies: Mapping[tuple[str, ...], float], members: Sequence[str]) -> dict[str, float]:
    return {
        component: math.fsum(energies.get((member, component), 0.0) for member in members)
        for component in COMPONENT_STYLES
    }


def _title(text: str, position: float) -> dict[str, Any]:
    place = {"xref": "paper", "x": 0, "xanchor": "left", "yref": "y", "y": position, "yanchor": "middle"}
    return {"text": text, "showarrow": False, "font": {"size": 13}, **place}


def _stacked(bars: Sequence[Bar], unit: Unit) -> Figure:
    totals = [math.fsum(bar.energies_j.values()) for bar in bars]
    positions = [bar.position for bar in bars]
    written = {
        "type": "scatter", "mode": "text", "x": rounded(total / unit.size for total in totals), "y": positions,
        "text": [f" {unit.number(total, 3)}" for total in totals], "textposition": "middle right",
        "hoverinfo": "skip", "showlegend": False, "cliponaxis": False, "textfont": {"size": 11},
    }  # fmt: skip
    end = 1.15 * (max(totals) or unit.size) / unit.size
    axis = {"title": {"text": f"energy of the run ({unit.symbol})"}, "range": rounded([0, end]), "fixedrange": True}
    ticks = {"tickvals": positions, "ticktext": [clipped(bar.tick) for bar in bars]}
    layout = {
        "barmode": "stack", "bargap": 0.22, "height": _FRAME_PX + _ROW_PX * len(bars), "xaxis": axis,
        "yaxis": {**ticks, "range": [len(bars) - 0.4, -0.6], "automargin": True, "fixedrange": True,
                  "ticklabelstandoff": 6, "showgrid": False, "zeroline": False},
    }  # fmt: skip
    return {"data": [*_component_bars(bars, unit), written], "layout": layout}


def _component_bars(bars: Sequence[Bar], unit: Unit) -> Iterator[dict[str, Any]]:
    for component, style in COMPONENT_STYLES.items():
        energies = [bar.energies_j[component] for bar in bars]
        yield {
            "type": "bar", "orientation": "h", "name": style.name, "width": 0.78,
            "x": rounded(energy / unit.size for energy in energies), "y": [bar.position for bar in bars],
            "marker": {"color": style.colour}, "hoverinfo": "text", "textposition": "none",
            "hovertext": [_hover(bar, style.name, e) for bar, e in zip(bars, energies, strict=True)],
        }  # fmt: skip


def _hover(bar: Bar, component: str, energy_j: float) -> str:
    share = percent(energy_j / bar.whole_j if bar.whole_j else 0.0)
    return f"<b>{clipped(bar.name, 80)}</b><br>{component}: {in_units(energy_j, 'J')}<br>{share} % of the run"
