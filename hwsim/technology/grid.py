"""Interpolation between measured sizes, linear in the logarithms of both sizes and of the value."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from math import exp, log, sqrt

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


def left_out_error(grid: Mapping[Place, float], first: float, second: float) -> float | None:
    """Return how far the places around are off if each is left out, as the root mean square of relative errors.

    Each is interpolated between the two places next to it of the same second size. None if no place around has both.
    """
    errors = []
    for size, _ in _around({place[0] for place in grid}, first):
        for other, _ in _around({place[1] for place in grid if place[0] == size}, second):
            column = {place: value for place, value in grid.items() if place[1] == other and place[0] != size}
            between = interpolated(column, size, other)
            if between is not None:
                errors.append(log(between / grid[size, other]))
    return sqrt(sum(error**2 for error in errors) / len(errors)) if errors else None


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
