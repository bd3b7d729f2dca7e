"""Interpolation between measured sizes, linear in the logarithms of both sizes and of the value."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from math import exp, log

Place = tuple[int, int]
"""Two sizes, such as bytes and bits of an access."""


def interpolated(grid: Mapping[Place, float], first: float, second: float) -> float | None:
    """Return the value between the measured places around; None outside.

    Between the two nearest first sizes, and in the row of each between its own nearest second sizes, which may differ.
    """
    sizes = _around({place[0] for place in grid}, first)
    if not sizes:
        return None
    total = 0.0
    for size, share in sizes:
        row = {place[1]: value for place, value in grid.items() if place[0] == size}
        others = _around(set(row), second)
        if not others:
            return None
        total += share * sum(part * log(row[other]) for other, part in others)
    return exp(total)


def _around(points: set[int], x: float) -> list[tuple[int, float]]:
    """Return the points below and above ``x`` with their weights; one if it is there, none outside."""
    if x in points:
        return [(int(x), 1.0)]
    ordered = sorted(points)
    above = bisect_right(ordered, x)
    if above in {0, len(ordered)}:
        return []
    low, high = ordered[above - 1], ordered[above]
    share = log(x / low) / log(high / low)
    return [(low, 1 - share), (high, share)]
