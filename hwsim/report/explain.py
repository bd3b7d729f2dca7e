"""The bill of one operator: which coefficient, from which source, made each joule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwsim.cost.result import OperatorCost, Result, Results
from hwsim.errors import InputError
from hwsim.files import Frozen
from hwsim.technology import Coefficient

if TYPE_CHECKING:
    from rich.console import Console

MICRO = 1e-6  # picojoules to microjoules


class Explanation(Frozen):
    """An operator's cost on one architecture with the coefficients that made it."""

    architecture: str
    accounting_title: str
    node_nm: float
    voltage_v: float
    cost: OperatorCost
    coefficients: dict[str, Coefficient]


def explanations(results: Results, operator: str, on: str = "") -> list[Explanation]:
    """Return the bills of ``operator`` in every result, or in that of architecture ``on`` only.

    Parameters
    ----------
    operator
        A name, or a number that counts operators from 0.

    Raises
    ------
    InputError
        If there is no such operator or architecture.
    """
    chosen = [result for result in results.results if on in {"", result.architecture.name}]
    if not chosen:
        names = ", ".join(result.architecture.name for result in results.results)
        raise InputError(f"architecture must be one of {names}", value=on)
    return [bill for result in chosen for bill in _bills(result, operator)]


def _bills(result: Result, operator: str) -> list[Explanation]:
    if operator.isdecimal() and int(operator) < len(result.operators):
        found = [result.operators[int(operator)]]
    else:
        found = [cost for cost in result.operators if cost.name == operator]
    if not found:
        names = [cost.name for cost in result.operators]
        near = [name for name in names if operator in name] or names
        some = ", ".join(dict.fromkeys(near[:12]))
        raise InputError(f"operator must be a number below {len(names)} or a name such as {some}", value=operator)
    return [
        Explanation(
            architecture=result.architecture.name, accounting_title=result.accounting_title,
            node_nm=result.node_nm, voltage_v=result.voltage_v, cost=cost,
            coefficients={charge.coefficient: result.coefficients[charge.coefficient] for charge in cost.charges},
        )
        for cost in found
    ]  # fmt: skip


def print_explanation(bill: Explanation, console: Console | None = None) -> None:
    """Print what was charged, and where each coefficient comes from."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    console = console or Console()
    cost = bill.cost
    console.print(Text(f"{cost.name} ({cost.module or 'no module'}) on {bill.architecture}", style="bold"))
    console.print(
        Text(
            f"{cost.primitive}, {cost.phase}, {cost.count} times, {cost.macs} points, "
            f"{cost.bits_moved} bits at least; {bill.accounting_title}"
        )
    )
    if cost.mapping:
        console.print(Text("tiling " + " ".join(f"{name}={size}" for name, size in cost.mapping.items())))
    console.print(Text(f"{cost.latency_s * 1e6:.6g} µs, bound by {cost.bound or 'nothing'}; {cost.note}"))
    names = (Column("charged for", no_wrap=True), Column("coefficient", no_wrap=True))
    charges = Table(*names, "times", "bits", "energy µJ", "share", box=SIMPLE)
    for charge in sorted(cost.charges, key=lambda charge: -charge.energy_pj):
        share = charge.energy_pj / cost.energy_pj if cost.energy_pj else 0.0
        charges.add_row(
            f"{charge.component} {charge.operand}", charge.coefficient, f"{charge.times:.6g}",
            f"{charge.bits:g}" if charge.bits else "", f"{charge.energy_pj * MICRO:.6g}", f"{share:.1%}",
        )  # fmt: skip
    charges.add_row("total", "", "", "", f"{cost.energy_pj * MICRO:.6g}", "")
    console.print(charges)
    for name, coefficient in bill.coefficients.items():
        console.print(Text(f"{name}: {coefficient.value:g} {coefficient.unit}", style="bold"))
        console.print(
            Text(
                f"  {coefficient.format} at {coefficient.conditions or f'{bill.node_nm:g} nm, {bill.voltage_v:g} V'}; "
                f"standard uncertainty "
                f"{coefficient.uncertainty:.0%} ({coefficient.uncertainty_basis})\n"
                f"  {coefficient.kind}{_trust(coefficient)}: {coefficient.source}; {coefficient.recipe}"
            )
        )


def _trust(coefficient: Coefficient) -> str:
    return f" ({coefficient.confidence})" if coefficient.confidence else ""
