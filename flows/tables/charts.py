"""Grouped bars as SVG: plain text, the same bytes every time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

COLOURS = ("#33658a", "#f6ae2d", "#c8553d", "#588b8b", "#7a6f9b")
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 760, 340, 56, 58, 40
TICKS = 5


def bars(title: str, groups: Sequence[str], series: Mapping[str, Sequence[float | None]], unit: str) -> str:
    """Return a chart with a bar for every series in every group; None leaves its place empty."""
    step = _step(max(value for values in series.values() for value in values if value is not None))
    top = TICKS * step
    plot = HEIGHT - TOP - BOTTOM
    group_width = (WIDTH - LEFT - 10) / len(groups)
    bar_width = 0.8 * group_width / len(series)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"',
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="20" font-size="15" font-weight="bold">{escape(title)}</text>',
        f'<text x="12" y="{TOP - 10}" fill="#555555">{escape(unit)}</text>',
    ]
    for tick in range(TICKS + 1):
        y = TOP + plot * (1 - tick / TICKS)
        lines.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - 10}" y2="{y:.1f}" stroke="#dddddd"/>')
        lines.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#555555">{tick * step:g}</text>')
    for index, (name, values) in enumerate(series.items()):
        colour = COLOURS[index]
        for group, value in enumerate(values):
            if value is not None:
                x = LEFT + group * group_width + 0.1 * group_width + index * bar_width
                lines += _bar(x, bar_width, plot * value / top, TOP + plot, colour, f"{value:.3g}")
        x = LEFT + index * (WIDTH - LEFT) / len(series)
        lines.append(f'<rect x="{x:.1f}" y="30" width="11" height="11" fill="{colour}"/>')
        lines.append(f'<text x="{x + 16:.1f}" y="40">{escape(name)}</text>')
    for group, name in enumerate(groups):
        x = LEFT + (group + 0.5) * group_width
        lines.append(f'<text x="{x:.1f}" y="{HEIGHT - 18}" text-anchor="middle">{escape(name)}</text>')
    return "\n".join([*lines, "</svg>", ""])


def _bar(x: float, width: float, height: float, base: float, colour: str, label: str) -> list[str]:
    y = base - height
    return [
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width - 1.5:.1f}" height="{height:.1f}" fill="{colour}"/>',
        f'<text x="{x + width / 2:.1f}" y="{y - 3:.1f}" text-anchor="middle" font-size="10">{label}</text>',
    ]


def _step(largest: float) -> float:
    """The smallest round number of which `TICKS` reach ``largest``."""
    power = 10.0**-12
    while True:
        for digit in (1, 2, 2.5, 5):
            if TICKS * digit * power >= largest:
                return digit * power
        power *= 10
