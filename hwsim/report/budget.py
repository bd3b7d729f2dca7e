"""What joules mean to people: epochs that a budget pays for, grams of carbon dioxide, money."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hwsim.cost.result import Result
from hwsim.errors import InputError
from hwsim.report.units import counted, in_units, significant

_JOULES = {"J": 1.0, "Wh": 3600.0}
_PREFIXES = {"": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_ENERGY = re.compile(r"\s*([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*([mkMGT]?)(J|Wh)\s*")
J_PER_KWH = 3.6e6


def joules(text: str) -> float:
    """Return an energy such as ``5kJ`` or ``0.2 kWh`` in joules.

    Raises
    ------
    InputError
        If it is no positive number with J or Wh.
    """
    match = _ENERGY.fullmatch(text)
    try:
        value = float(match[1]) * _PREFIXES[match[2]] * _JOULES[match[3]] if match else 0.0
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise InputError("must be an energy such as 5kJ or 0.2kWh", value=text)
    return value


@dataclass(frozen=True)
class Fit:
    """How much of a run, or of repetitions of its end, an energy pays for."""

    epochs: int
    """Whole ones; parts of the run that were not divided into epochs, and single steps, are ``unit``."""
    within: tuple[int, int]
    """The same when the coefficients err by one standard uncertainty up and down."""
    unit: str
    beyond: int
    """Of `epochs`, those after the end of the run, each taken to cost what its last one did."""


def fitting(result: Result, budget_j: float) -> Fit:
    """Return how many epochs of ``result`` the energy ``budget_j`` pays for; steps if it has no epochs."""
    points = result.timeline.points if result.timeline else ()
    numbered: dict[int, float] = {}
    for point in points:
        if point.epoch is not None:
            numbered[point.epoch] = numbered.get(point.epoch, 0.0) + point.energy_j
    spent = list(numbered.values()) or [result.energy_j / result.steps] * result.steps
    error = result.uncertainty_j / result.energy_j if result.energy_j else 0.0
    bounds = tuple(_fit(spent, budget_j / factor) for factor in (1 + error, max(1 - error, 1e-9)))
    epochs = _fit(spent, budget_j)
    return Fit(epochs, (bounds[0], bounds[1]), "epoch" if numbered else "step", max(epochs - len(spent), 0))


def _fit(spent: Sequence[float], budget_j: float) -> int:
    left = budget_j * (1 + 1e-12)  # sums of floats may miss by a rounding
    for count, energy in enumerate(spent):
        if energy > left:
            return count
        left -= energy
    if not spent[-1]:
        raise InputError("must be spent by something: the last epoch costs nothing", field="--budget", value=budget_j)
    return len(spent) + int(left / spent[-1])


def budget_lines(
    results: Sequence[Result], names: Sequence[str], budget_j: float | None, carbon_g_per_kwh: float | None,
    price_per_kwh: float | None,
) -> Iterator[str]:  # fmt: skip
    """Yield a line for each question about each result."""
    for result, name in zip(results, names, strict=True):
        kwh, error = result.energy_j / J_PER_KWH, result.uncertainty_j / J_PER_KWH
        if budget_j is not None:
            yield f"{name}: {in_units(budget_j, 'J')} pay for {_told(fitting(result, budget_j))}"
        if carbon_g_per_kwh is not None:
            yield f"{name}: {_spread(kwh, error, carbon_g_per_kwh)} g of CO2, {carbon_g_per_kwh:g} g/kWh"
        if price_per_kwh is not None:
            yield f"{name}: costs {_spread(kwh, error, price_per_kwh)}, {price_per_kwh:g} a kWh"


def _told(fit: Fit) -> str:
    low, high = fit.within
    beyond = f"; {fit.beyond:,} of them beyond the end of the run, each like its last" if fit.beyond else ""
    return f"{counted(fit.epochs, fit.unit)} ({low:,} to {high:,} within one standard uncertainty){beyond}"


def _spread(kwh: float, error: float, factor: float) -> str:
    return f"{significant(kwh * factor)} ± {significant(error * factor, 2)}"
