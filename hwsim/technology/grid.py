"""Interpolation between measured sizes, linear in the logarithms of both sizes and of the value."""

from __future__ import annotations

from bisect import bisect_right
from math import exp, log

Place = tuple[int, int]
"""Two sizes, such as bytes and bits of an access."""


def interpolated(grid: dict[Place, float], first: float, second: float) -> float | None:
    """Return the value between the four measured places around; None if there are no four."""
    firsts, seconds = (sorted({place[axis] for place in grid}) for axis in (0, 1))
    corners = [((a, b), share * part) for a, share in _around(firsts, first) for b, part in _around(seconds, second)]
    if not corners or any(place not in grid for place, _ in corners):
        return None
    return exp(sum(weight * log(grid[place]) for place, weight in corners))


def _around(points: list[int], x: float) -> list[tuple[int, float]]:
    """Return the points below and above ``x`` with their weights; one if it is there, none outside."""
    if x in points:
        return [(int(x), 1.0)]
    above = bisect_right(points, x)
    if above in {0, len(points)}:
        return []
    low, high = points[above - 1], points[above]
    share = log(x / low) / log(high / low)
    return [(low, 1 - share), (high, share)]
