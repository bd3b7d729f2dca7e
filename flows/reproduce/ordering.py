"""How far measured accuracies order methods as printed ones do, and how far they order them at all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple


class Measured(NamedTuple):
    """The share of so many test images that a method gets right."""

    method: str
    accuracy: float
    tested: int

    @property
    def deviation(self) -> float:
        """Standard error of the accuracy."""
        return math.sqrt(self.accuracy * (1 - self.accuracy) / self.tested)


def agreement(measured: Sequence[Measured], printed: Mapping[str, float]) -> str:
    """Return a sentence about all pairs of methods that have a printed accuracy."""
    ranked = sorted((one for one in measured if one.method in printed), key=lambda one: -printed[one.method])
    pairs = list(combinations(ranked, 2))
    agreed = sum(better.accuracy > worse.accuracy for better, worse in pairs)
    clear = [
        (better, worse)
        for better, worse in pairs
        if abs(better.accuracy - worse.accuracy) > 2 * math.hypot(better.deviation, worse.deviation)
    ]
    against = [f"{worse.method} before {better.method}" for better, worse in clear if better.accuracy < worse.accuracy]
    return (
        f"Of the {len(pairs)} pairs that the paper ranks, {agreed} go the paper's way; {len(clear)} differ by more than"
        f" two standard errors, {len(clear) - len(against)} of these the paper's way"
        + (f", and against it {', '.join(against)}." if against else ".")
    )
