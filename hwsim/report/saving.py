"""How much one result saves against another, and whether the coefficients are good enough to say so."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

from hwsim.cost.result import Result
from hwsim.technology import Coefficient

Priced = tuple[float, float, str, Coefficient]
"""Node in nm, voltage in V, key and coefficient: what makes two results share an error."""


@dataclass(frozen=True)
class Saving:
    """Reference over other; both above 1 when the other is better, NaN when one of them is zero."""

    energy: float
    uncertainty: float
    """Standard uncertainty of `energy`; a coefficient that both results pay errs in both alike."""
    latency: float

    @property
    def is_certain(self) -> bool:
        """Whether the energies differ by more than one standard uncertainty."""
        if math.isnan(self.energy):
            return False
        return abs(math.log(self.energy)) > self.uncertainty / self.energy


def saving(reference: Result, other: Result) -> Saving:
    """Compare the energy and latency of two results of the same work."""
    first, second = _shares(reference), _shares(other)
    errors = ((first[key] - second[key]) * key[3].uncertainty for key in {**first, **second})
    energy = _over(reference.energy_j, other.energy_j)
    return Saving(
        energy=energy,
        uncertainty=energy * math.sqrt(math.fsum(error**2 for error in errors)),
        latency=_over(reference.latency_s, other.latency_s),
    )


def _shares(result: Result) -> defaultdict[Priced, float]:
    """Share of the energy that each coefficient makes."""
    spent_pj: dict[str, list[float]] = defaultdict(list)
    for cost in result.operators:
        for charge in cost.charges:
            spent_pj[charge.coefficient].append(charge.energy_pj * cost.count)
    whole_j = result.energy_j
    shares: defaultdict[Priced, float] = defaultdict(float)
    for key, parts in spent_pj.items():
        priced = (result.node_nm, result.voltage_v, key, result.coefficients[key])
        shares[priced] = math.fsum(parts) * 1e-12 / whole_j if whole_j else 0.0
    return shares


def _over(numerator: float, denominator: float) -> float:
    return numerator / denominator if numerator and denominator else math.nan
