"""Prices of operators that are no contraction, in elementary operations per point.

An addition, comparison, selection, negation or absolute value is one addition; a transcendental function, square root,
reciprocal or division is a polynomial of degree 4.
"""

from __future__ import annotations

from collections.abc import Mapping

from hwsim.workload.operator import Arithmetic

Cost = Mapping[Arithmetic, float]


def cost(add: float = 0, mult: float = 0) -> Cost:
    """Return the arithmetic of one point, without the operations that it does not need."""
    counts: dict[Arithmetic, float] = {"add": add, "mult": mult}
    return {name: count for name, count in counts.items() if count}


SERIES = 4
"""Multiplications and additions of a polynomial of degree 4 by Horner's rule: the stated price of every
transcendental function, square root and reciprocal."""


def function(times: int = 1, add: float = 0, mult: float = 0) -> Cost:
    """Return the cost of ``times`` polynomials beside ``add`` additions and ``mult`` multiplications."""
    return cost(times * SERIES + add, times * SERIES + mult)


SOFTMAX = function(add=3, mult=1)
"""Maximum, subtraction, exponential, sum, product with the reciprocal of the sum."""

LOG_SOFTMAX = function(add=4)
"""Maximum, subtraction, exponential, sum, subtraction of its logarithm."""

NORM = cost(add=4, mult=3)
"""Normalisation with statistics of the data: sum; centre, square, sum; centred * rstd * weight + bias."""

FOLDED_NORM = cost(add=1, mult=1)
"""Normalisation with frozen statistics, which fold into one product and one sum."""

RMS_NORM = cost(add=1, mult=3)
"""Square, sum; x * rms * weight."""
