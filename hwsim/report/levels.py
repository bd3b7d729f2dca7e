"""The memory hierarchy of a result as a picture: what crossed each level, and what that cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hwsim.cost.result import Charge, Component, Result
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
    """Return the levels that charged anything, DRAM first, those of one kind in the order in which they are met."""
    charges: dict[str, list[tuple[Charge, int]]] = {}
    for cost in result.operators:
        for charge in cost.charges:
            charges.setdefault(charge.level, []).append((charge, cost.count))
    return tuple(
        _level(result, component, name, charges[name])
        for component in FROM_OUTSIDE for name in charges if name.partition(".")[0] == component
    )  # fmt: skip


def level_title(name: str) -> str:
    """What readers call a level: ``global buffer: sram``."""
    component, _, node = name.partition(".")
    title = next(style.name for key, style in COMPONENT_STYLES.items() if key == component)
    return f"{title}: {node}" if node else title


def _level(result: Result, component: Component, name: str, charges: Sequence[tuple[Charge, int]]) -> Level:
    energy_j = math.fsum(charge.energy_pj * count for charge, count in charges) * 1e-12
    moved = math.fsum(charge.times * charge.bits * count for charge, count in charges) / 8
    operations = math.fsum(charge.times * count for charge, count in charges)
    share = energy_j / result.energy_j if result.energy_j else 0.0
    traffic = in_units(moved, "B") if moved else in_units(operations, "op")
    colour = COMPONENT_STYLES[component].colour
    return Level(level_title(name), colour, traffic, in_units(energy_j, "J"), share, percent(share))


def pictures(results: Sequence[Result]) -> list[tuple[Level, ...]]:
    """Return the levels of every result."""
    return [levels(result) for result in results]
