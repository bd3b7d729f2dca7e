"""Computational cost of FracTrain (NeurIPS 2020): multiply-accumulates weighted by the widths of both factors."""

from __future__ import annotations

import math

from hwsim import formats
from hwsim.workload import Operator, Workload

FULL_BITS = 32


def computational_cost(work: Operator | Workload) -> float:
    """Return the sum of MACs * (bits of one factor / 32) * (bits of the other / 32); other operators cost nothing."""
    if isinstance(work, Workload):
        return math.fsum(computational_cost(operator) * operator.count for operator in work.operators)
    if not work.is_contraction:
        return 0.0
    names = {"input", "weight", "output"} - {work.written.name}
    return work.macs * math.prod(formats.parse(work.operand(name).format).bits / FULL_BITS for name in sorted(names))
