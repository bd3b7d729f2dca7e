"""The roofline of a result as a plain plotly figure: operators against peak throughput and DRAM bandwidth."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hwsim.architecture import Architecture
from hwsim.cost.result import OperatorCost, Result
from hwsim.report.charts import Figure, clipped, module_name, rounded
from hwsim.report.palette import PHASE_STYLES
from hwsim.report.units import counted, in_units, percent, significant

_SLACK = 1.001  # rounding must not lift an operator above a roof
_NEAR = 1.15  # distance of a name from its line, as a factor on a logarithmic axis


@dataclass(frozen=True)
class Point:
    """An operator in the roofline; all of one execution."""

    cost: OperatorCost
    operations: float
    """Multiply-accumulates (or shifts, or adds) of a contraction, elementary operations of others."""
    dram_bytes: float
    """Traffic charged to the external memory."""

    @property
    def missing(self) -> str:
        """Why it has no place in the chart, or nothing."""
        if not self.cost.covered:
            return "not priced"
        if not self.operations:
            return "without arithmetic"
        return "" if self.dram_bytes and self.cost.latency_s else "without DRAM traffic"

    @property
    def intensity(self) -> float:
        """Operations per byte of DRAM traffic."""
        return self.operations / self.dram_bytes

    @property
    def rate(self) -> float:
        """Operations per second."""
        return self.operations / self.cost.latency_s


def points(result: Result) -> list[Point]:
    """Place every operator of ``result``."""
    return [_point(cost) for cost in result.operators]


def roofs(architecture: Architecture) -> dict[str, float]:
    """Names and peak operations per second of the compute roofs."""
    peak = architecture.peak_operations_per_s
    narrow = architecture.narrow
    if narrow is None:
        return {"peak": peak}
    return {"peak": peak, f"peak, up to {narrow.bits} bit": peak * narrow.elements_factor}


def roofline_figure(result: Result) -> Figure:
    """Operators by phase, sized by their share of the time, under the roofs of the architecture."""
    drawn = [point for point in points(result) if not point.missing]
    tops, bytes_per_s = roofs(result.architecture), result.architecture.dram_bytes_per_s
    ridges = [top / bytes_per_s for top in tops.values()]
    span = [min([*ridges, *(p.intensity for p in drawn)]) / 3, max([*ridges, *(p.intensity for p in drawn)]) * 3]
    floor = min([*(p.rate for p in drawn), span[0] * bytes_per_s]) / 2
    ceiling = max([*(p.rate for p in drawn), *tops.values()]) * 2
    layout = {
        "height": 520, "hovermode": "closest", "legend": {"itemsizing": "constant"},
        "xaxis": _axis("operations per byte of DRAM traffic", span, "~g"),
        "yaxis": _axis("operations per second", [floor, ceiling], "~s"),
    }  # fmt: skip
    return {
        "data": [*_roof_lines(tops, bytes_per_s, span), _roof_names(tops, bytes_per_s, span), *_marks(drawn, result)],
        "layout": layout,
    }


def roofline_notes(result: Result) -> list[str]:
    """What the chart leaves out, and what lies above the roofs, with counts."""
    placed = points(result)
    absent = Counter(point.missing for point in placed if point.missing)
    top, bytes_per_s = max(roofs(result.architecture).values()), result.architecture.dram_bytes_per_s
    above = sum(p.rate > _SLACK * min(top, p.intensity * bytes_per_s) for p in placed if not p.missing)
    notes = [f"Not drawn: {counted(count, 'operator')} {reason}." for reason, count in absent.items()]
    if above:
        notes.append(
            f"Above the roofs: {counted(above, 'operator')}, as accounting {result.accounting} charges less time "
            "than the array or its external memory needs."
        )
    return notes


def _point(cost: OperatorCost) -> Point:
    compute = math.fsum(charge.times for charge in cost.charges if charge.component == "compute")
    dram_bits = math.fsum(charge.times * charge.bits for charge in cost.charges if charge.component == "dram")
    return Point(cost, cost.macs or compute, dram_bits / 8)


def _axis(title: str, ends: Sequence[float], tickformat: str) -> dict[str, Any]:
    span = rounded(math.log10(end) for end in ends)
    look = {"dtick": 1, "tickformat": tickformat, "ticklabelstandoff": 4, "automargin": True, "zeroline": False}
    return {"type": "log", "title": {"text": title}, "range": span, **look}


def _roof_lines(tops: Mapping[str, float], bytes_per_s: float, span: Sequence[float]) -> Iterator[Figure]:
    for dash, top in zip(("solid", "dash"), tops.values(), strict=False):
        knees = [span[0], top / bytes_per_s, span[1]]
        yield {
            "type": "scatter", "mode": "lines", "x": rounded(knees), "showlegend": False, "hoverinfo": "skip",
            "y": rounded(min(top, knee * bytes_per_s) for knee in knees),
            "line": {"dash": dash, "width": 2, "color": "#7a7f87"},
        }  # fmt: skip


def _roof_names(tops: Mapping[str, float], bytes_per_s: float, span: Sequence[float]) -> Figure:
    texts = [f"{name}: {in_units(top, 'op/s', 3)}" for name, top in tops.items()]
    return {
        "type": "scatter", "mode": "text", "showlegend": False, "hoverinfo": "skip",
        "x": rounded([*(span[1] for _ in tops), span[0] * _NEAR]),
        "y": rounded([*(top * _NEAR for top in tops.values()), span[0] * bytes_per_s]),
        "text": [*texts, f"DRAM: {in_units(bytes_per_s, 'B/s', 3)}"],
        "textposition": [*("top left" for _ in tops), "bottom right"],
    }  # fmt: skip


def _marks(drawn: Sequence[Point], result: Result) -> Iterator[Figure]:
    time_s = result.latency_s
    for phase, style in PHASE_STYLES.items():
        mine = [point for point in drawn if point.cost.phase == phase]
        if not mine:
            continue
        shares = [p.cost.latency_s * p.cost.count / time_s for p in mine]
        yield {
            "type": "scatter", "mode": "markers", "name": style.name, "hoverinfo": "text",
            "x": rounded(point.intensity for point in mine), "y": rounded(point.rate for point in mine),
            "hovertext": [_hover(point, share) for point, share in zip(mine, shares, strict=True)],
            "marker": {
                "color": style.colour, "symbol": style.symbol, "opacity": 0.8,
                "size": rounded(7 + 27 * math.sqrt(share) for share in shares), "line": {"width": 0.5},
            },
        }  # fmt: skip


def _hover(point: Point, share: float) -> str:
    cost = point.cost
    bound = f", bound by {cost.bound}" if cost.bound else ""
    return "<br>".join((
        f"<b>{clipped(cost.name, 80)}</b>",
        f"{clipped(module_name(cost.module), 80)}, {cost.phase}, {cost.primitive}, {cost.count:,} times",
        f"{significant(point.intensity)} op/B, {in_units(point.rate, 'op/s')}{bound}",
        f"{percent(share)} % of the time",
    ))  # fmt: skip
