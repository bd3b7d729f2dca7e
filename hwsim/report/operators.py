"""Every operator with what it takes on each architecture, and whether a kernel was measured or all is modelled."""

from __future__ import annotations

from collections.abc import Sequence

from hwsim.cost.result import OperatorCost, Result
from hwsim.report.comparison import distinct, labels
from hwsim.report.details import Table, operator_name
from hwsim.report.units import unit_for

_Key = tuple[str, str]


def operator_table(results: Sequence[Result]) -> Table:
    """Latency and energy of one execution of every operator in every result, side by side."""
    costs: list[dict[_Key, OperatorCost]] = [{_key(cost): cost for cost in result.operators} for result in results]
    latency = unit_for((cost.latency_s for one in costs for cost in one.values()), "s")
    energy = unit_for((cost.energy_pj * 1e-12 for one in costs for cost in one.values()), "J")
    rows = []
    for key in distinct(key for one in costs for key in one):
        cells = [
            cell
            for one in costs
            for cell in (
                (latency.number(one[key].latency_s), energy.number(one[key].energy_pj * 1e-12), basis(one[key]))
                if key in one
                else ("", "", "absent")
            )
        ]
        count = next(one[key].count for one in costs if key in one)
        rows.append((*key, f"{count:,}", *cells))
    head = ["Operator", "Phase", "Times"]
    for label in labels(results):
        head += [f"{label} ({latency.symbol})", f"({energy.symbol})", "basis"]
    numeric = frozenset({2, *(column for column in range(3, len(head)) if (column - 3) % 3 < 2)})
    return Table(tuple(head), tuple(rows), numeric)


def basis(cost: OperatorCost) -> str:
    """Return ``measured`` if the time is that of a kernel in the database, ``modelled`` or ``not priced`` otherwise."""
    if not cost.covered:
        return "not priced"
    return "measured" if cost.note.startswith("measured") else "modelled"


def _key(cost: OperatorCost) -> _Key:
    return operator_name(cost), cost.phase
