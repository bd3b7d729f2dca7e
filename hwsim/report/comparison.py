"""The comparison of results as rows of text, shared by the terminal's table and the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from hwsim.cost.result import Component, Result
from hwsim.errors import InputError
from hwsim.report.palette import COMPONENT_STYLES, PHASE_STYLES
from hwsim.report.saving import Saving, saving
from hwsim.report.training import training_rows
from hwsim.report.units import Unit, percent, significant, unit_for
from hwsim.workload.operator import Phase

T = TypeVar("T")

PHASES: dict[str, tuple[Phase, ...]] = {
    "forward": ("forward",),
    "backward": ("grad_input", "grad_weight"),
    "optimizer": ("optimizer",),
    "control": ("control",),
}
PARTS: dict[str, tuple[Component, ...]] = {
    "compute": ("compute",),
    "on-chip memory": ("register_file", "global_buffer"),
    "network": ("network",),
    "DRAM": ("dram",),
    "leakage and clock": ("standing",),
}

_NAMES = {key: style.name for key, style in (*COMPONENT_STYLES.items(), *PHASE_STYLES.items())}


@dataclass(frozen=True)
class Row:
    """One quantity of every result, as text."""

    label: str
    unit: str
    cells: tuple[str, ...]
    level: int = 0
    """1 for a part of the row above."""
    key: str = ""
    """The phase or component it shows, where it shows one."""


@dataclass(frozen=True)
class Section:
    """Rows that belong together."""

    title: str
    rows: tuple[Row, ...]


def comparison(results: Sequence[Result]) -> tuple[Section, ...]:
    """Compare ``results``, each against the first.

    Raises
    ------
    InputError
        If there are none.
    """
    if not results:
        raise InputError("a comparison must have at least one result", value=[])
    sections = [_run(results), _phases(results), _components(results), _basis(results)]
    if of_training := training_rows(results, Row):
        sections.insert(1, Section("Training", of_training))
    if len(results) > 1:
        sections.insert(1, _savings(results))
    return tuple(sections)


def labels(results: Sequence[Result]) -> list[str]:
    """Heading of each result: its architecture, with whatever else tells it from the others."""
    identities = [(r.architecture.name, r.workload, r.accounting) for r in results]
    differing = [i for i in (1, 2) if len({identity[i] for identity in identities}) > 1]
    extras = [", ".join(identity[i] for i in differing) for identity in identities]
    names = [f"{name[0]} ({extra})" if extra else name[0] for name, extra in zip(identities, extras, strict=True)]
    return [
        name if names.count(name) == 1 else f"{name} #{names[: index + 1].count(name)}"
        for index, name in enumerate(names)
    ]


def distinct(values: Iterable[T]) -> list[T]:
    """Each value once, in order of appearance."""
    return list(dict.fromkeys(values))


def unlike(results: Sequence[Result]) -> str:
    """A warning that names what differs although a comparison should hold it fixed, or nothing."""
    fixed: dict[str, Callable[[Result], object]] = {
        "workload": lambda r: r.workload,
        "number of samples": lambda r: r.samples,
        "accounting": lambda r: r.accounting,
        "node or voltage": lambda r: (r.node_nm, r.voltage_v),
        "coverage": lambda r: percent(r.coverage),
    }
    differing = [name for name, value in fixed.items() if len({value(result) for result in results}) > 1]
    return f"Mind that the columns differ in {' and '.join(differing)}." if differing else ""


def saving_text(saved: Saving) -> str:
    """The energy saving with its uncertainty, saying so when it is not certain."""
    if saved.energy != saved.energy:
        return "not known"
    error = f" ± {significant(saved.uncertainty, 2)}" if saved.uncertainty else ""
    return f"{times(saved.energy)}{error}{'' if saved.is_certain else ' (within uncertainty)'}"


def times(ratio: float) -> str:
    """A ratio as ``3.21x``."""
    return f"{significant(ratio, 3)}x" if ratio == ratio else "not known"


def energy_unit(results: Sequence[Result]) -> Unit:
    """The unit of all energies of the run."""
    return unit_for([result.energy_j for result in results], "J")


def _run(results: Sequence[Result]) -> Section:
    unit = energy_unit(results)
    energies = tuple(f"{unit.number(r.energy_j)} ± {unit.number(r.uncertainty_j, 2)}" for r in results)
    rows = [
        Row("Energy, run", unit.symbol, energies),
        _quantity("Energy per sample", "J", results, lambda r: r.energy_j / r.samples),
        _quantity("Latency, run", "s", results, lambda r: r.latency_s),
    ]
    if any(result.steps > 1 for result in results):
        rows.append(_quantity("Latency per step", "s", results, lambda r: r.latency_s / r.steps))
    if any(result.dram_bytes_saved for result in results):
        rows.append(_quantity("DRAM traffic", "B", results, lambda r: r.dram_bytes))
        rows.append(_quantity("DRAM traffic saved by fusion", "B", results, lambda r: r.dram_bytes_saved))
    return Section("Run", tuple(rows))


def _quantity(label: str, base: str, results: Sequence[Result], value: Callable[[Result], float]) -> Row:
    values = [value(result) for result in results]
    unit = unit_for(values, base)
    return Row(label, unit.symbol, tuple(unit.number(v) for v in values))


def _savings(results: Sequence[Result]) -> Section:
    savings = [saving(results[0], other) for other in results[1:]]
    rows = (
        Row("Energy", "", ("reference", *(saving_text(s) for s in savings))),
        Row("Latency", "", ("reference", *(times(s.latency) for s in savings))),
    )
    return Section("Saving vs the first", rows)


def _phases(results: Sequence[Result]) -> Section:
    present = {cost.phase for result in results for cost in result.operators}
    groups = {title: tuple(p for p in phases if p in present) for title, phases in PHASES.items()}
    return Section("Energy by phase", _breakdown(results, "phase", {t: g for t, g in groups.items() if g}))


def _components(results: Sequence[Result]) -> Section:
    present = {charge.component for result in results for cost in result.operators for charge in cost.charges}
    groups = {title: parts for title, parts in PARTS.items() if parts != ("standing",) or "standing" in present}
    return Section("Energy by component", _breakdown(results, "component", groups))


def _breakdown(
    results: Sequence[Result],
    key: Literal["phase", "component"],
    groups: Mapping[str, tuple[Phase, ...] | tuple[Component, ...]],
) -> tuple[Row, ...]:
    unit = energy_unit(results)
    energies = [{group: energy for (group,), energy in r.energy_j_by(key).items()} for r in results]
    wholes = [result.energy_j for result in results]

    def row(label: str, members: Sequence[str], level: int) -> Row:
        sums = [math.fsum(energy.get(member, 0.0) for member in members) for energy in energies]
        cells = (
            _share(part, whole, unit) if key == "component" or _priced(result, members) else "not priced"
            for part, whole, result in zip(sums, wholes, results, strict=True)
        )
        return Row(label, unit.symbol, tuple(cells), level, members[0] if len(members) == 1 else "")

    rows = []
    for title, members in groups.items():
        rows.append(row(title, members, 0))
        if len(members) > 1:
            rows += [row(_NAMES[member], [member], 1) for member in members]
    return tuple(rows)


def _share(part_j: float, whole_j: float, unit: Unit) -> str:
    return f"{unit.number(part_j, 3)} ({percent(part_j / whole_j if whole_j else 0.0)} %)"


def _priced(result: Result, phases: Sequence[str]) -> bool:
    return any(cost.covered for cost in result.operators if cost.phase in phases)


def _basis(results: Sequence[Result]) -> Section:
    missing = [sum(not cost.covered for cost in result.operators) for result in results]
    rows = [
        Row("Coverage", "%", tuple(percent(result.coverage) for result in results)),
        Row("Unpriced operators", "", tuple(f"{count:,}" for count in missing)),
        Row("Accounting", "", tuple(result.accounting for result in results)),
        Row("Node, voltage", "", tuple(node(result) for result in results)),
    ]
    return Section("Basis", tuple(rows))


def node(result: Result) -> str:
    """Technology node and supply voltage."""
    return f"{result.node_nm:g} nm, {result.voltage_v:g} V"
