"""The memory hierarchy of a result as a picture: what crossed each level, and what that cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hwsim.cost.result import Component, Result
from hwsim.report.palette import COMPONENT_STYLES
from hwsim.report.units import in_units, percent

FROM_OUTSIDE: tuple[Component, ...] = ("dram", "global_buffer", "network", "register_file", "compute")


@dataclass(frozen=True)
class Level:
    """One box of the picture."""

    name: str
    colour: str
    traffic: str
    """Bytes that were read and written, or operations."""
    energy: str
    share: float
    """Of the energy of the run."""
    percent: str


def levels(result: Result) -> tuple[Level, ...]:
    """Return the levels that charged anything, DRAM first."""
    found = (_level(result, component) for component in FROM_OUTSIDE)
    return tuple(level for level in found if level)


def _level(result: Result, component: Component) -> Level | None:
    charges = [
        (charge, cost.count) for cost in result.operators for charge in cost.charges if charge.component == component
    ]
    if not charges:
        return None
    energy_j = math.fsum(charge.energy_pj * count for charge, count in charges) * 1e-12
    moved = math.fsum(charge.times * charge.bits * count for charge, count in charges) / 8
    operations = math.fsum(charge.times * count for charge, count in charges)
    share = energy_j / result.energy_j if result.energy_j else 0.0
    traffic = in_units(moved, "B") if moved else in_units(operations, "op")
    style = COMPONENT_STYLES[component]
    return Level(style.name, style.colour, traffic, in_units(energy_j, "J"), share, percent(share))


def pictures(results: Sequence[Result]) -> list[tuple[Level, ...]]:
    """Return the levels of every result."""
    return [levels(result) for result in results]
