"""The tables of the page below the comparison: operators, modules, coverage, coefficients, architectures."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hwsim.architecture import Architecture
from hwsim.cost.result import OperatorCost, Result
from hwsim.report.charts import module_name
from hwsim.report.comparison import distinct, energy_unit, labels
from hwsim.report.units import Unit, in_units, percent, significant, unit_for
from hwsim.technology import Coefficient

COSTLIEST = 25
"""Operators listed per result."""


@dataclass(frozen=True)
class Table:
    """Cells as text; the first column names the row."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()
    """Columns aligned as numbers."""
    prose: frozenset[int] = frozenset()
    """Columns of sentences or lists, which wrap."""
    foot: str = ""


@dataclass
class Missing:
    """Operators of one kind that the accounting does not price."""

    source: str
    phase: str
    primitive: str
    names: list[str] = field(default_factory=list)
    executions: int = 0
    bits: int = 0


@dataclass(frozen=True)
class Coverage:
    """What is priced, for all results in which it is the same."""

    labels: tuple[str, ...]
    share: float
    """Of the compulsory traffic."""
    operators: int
    missing: tuple[Missing, ...]
    """Largest traffic first."""

    @property
    def text(self) -> str:
        """The share in percent."""
        return percent(self.share)

    @property
    def table(self) -> Table:
        """The operators that are not priced, those of one kind in one row."""
        unit = unit_for((kind.bits / 8 for kind in self.missing), "B")
        rows = tuple(
            (kind.source or kind.primitive, kind.phase, kind.primitive, f"{len(kind.names):,}",
             f"{kind.executions:,}", unit.number(kind.bits / 8))
            for kind in self.missing
        )  # fmt: skip
        head = ("Kind", "Phase", "Primitive", "Operators", "Executions", f"Traffic ({unit.symbol})")
        return Table(head, rows, frozenset({3, 4, 5}))


def costliest(result: Result, limit: int = COSTLIEST) -> Table:
    """The operators that take most energy, and what all others take together."""
    ranked = sorted(result.operators, key=lambda cost: -cost.energy_pj * cost.count)
    shown, others = ranked[:limit], ranked[limit:]
    energy = unit_for((_energy_j(cost) for cost in shown), "J")
    latency = unit_for((cost.latency_s * cost.count for cost in shown), "s")
    head = ("Operator", "Phase", "Primitive", "Times", f"Energy ({energy.symbol})", f"Latency ({latency.symbol})",
            "Bound by", "Mapping", "Note")  # fmt: skip
    whole_j = result.energy_j
    rows = tuple(_operator(cost, whole_j, energy, latency) for cost in shown)
    rest = math.fsum(_energy_j(cost) for cost in others)
    share = percent(rest / whole_j if whole_j else 0.0)
    foot = f"The other {len(others):,} operators take {energy.text(rest)} ({share} %)." if others else ""
    return Table(head, rows, frozenset({3, 4, 5}), frozenset({7, 8}), foot)


def operator_name(cost: OperatorCost) -> str:
    """The operator's name, with its module where the name does not begin with that."""
    return cost.name if cost.name.startswith(cost.module) else f"{cost.name} ({cost.module})"


def module_table(results: Sequence[Result]) -> Table:
    """Energy of every module in every result."""
    unit = energy_unit(results)
    energies = [{module: energy for (module,), energy in r.energy_j_by("module").items()} for r in results]
    modules = distinct(cost.module for result in results for cost in result.operators)
    rows = tuple(
        (module_name(module), *(unit.number(energy.get(module, 0.0)) for energy in energies)) for module in modules
    )
    head = ("Module", *(f"{label} ({unit.symbol})" for label in labels(results)))
    return Table(head, rows, frozenset(range(1, len(head))))


def coverages(results: Sequence[Result]) -> list[Coverage]:
    """Coverage of all results, those that lack the same operators together."""
    groups: defaultdict[tuple[object, ...], list[str]] = defaultdict(list)
    first: dict[tuple[object, ...], Result] = {}
    for result, label in zip(results, labels(results), strict=True):
        missing = ((cost.name, cost.bits_moved, cost.count) for cost in result.operators if not cost.covered)
        key = (result.coverage, len(result.operators), *missing)
        groups[key].append(label)
        first.setdefault(key, result)
    return [_coverage(tuple(group), first[key]) for key, group in groups.items()]


def coefficient_table(results: Sequence[Result]) -> Table:
    """Every coefficient that was used, with its basis and the results that used it."""
    users: defaultdict[tuple[str, str, Coefficient], list[str]] = defaultdict(list)
    for result, label in zip(results, labels(results), strict=True):
        for key, value in result.coefficients.items():
            conditions = value.conditions or f"{result.node_nm:g} nm, {result.voltage_v:g} V"
            users[key, conditions, value].append(label)
    rows = tuple(
        _coefficient(key, conditions, value, "all" if len(who) == len(results) else ", ".join(who))
        for (key, conditions, value), who in sorted(users.items(), key=lambda item: item[0][:2])
    )
    head = ("Coefficient", "Value", "Unit", "Format", "Conditions", "Kind", "Standard uncertainty", "Recipe",
            "Source", "Used by")  # fmt: skip
    return Table(head, rows, frozenset({1}), frozenset({6, 7, 8}))


def architecture_table(results: Sequence[Result]) -> Table:
    """The architectures as they were scored."""
    head = ("Architecture", "Description", "Elements", "Clock (MHz)", "Peak", "Buffer", "DRAM")
    rows = distinct(_architecture(result.architecture) for result in results)
    return Table(head, tuple(rows), frozenset({2, 3, 4, 5, 6}), frozenset({1}))


def notes(results: Sequence[Result]) -> list[tuple[str, str]]:
    """Assumptions of the results, each with whose they are if not everybody's."""
    users: defaultdict[str, list[str]] = defaultdict(list)
    for result, label in zip(results, labels(results), strict=True):
        for note in distinct(result.notes):
            users[note].append(label)
    return [(note, "" if len(who) == len(results) else ", ".join(who)) for note, who in users.items()]


def _energy_j(cost: OperatorCost) -> float:
    return cost.energy_pj * cost.count * 1e-12


def _operator(cost: OperatorCost, whole_j: float, energy: Unit, latency: Unit) -> tuple[str, ...]:
    share = percent(_energy_j(cost) / whole_j if whole_j else 0.0)
    return (
        operator_name(cost), cost.phase, cost.primitive, f"{cost.count:,}",
        f"{energy.number(_energy_j(cost))} ({share} %)", latency.number(cost.latency_s * cost.count),
        cost.bound.replace("dram", "DRAM"), _mapping(cost.mapping), cost.note,
    )  # fmt: skip


def _mapping(factors: Mapping[str, int]) -> str:
    """Factors that are not 1, those of one node together: ``buffer: n=2 m=4; rows: c=8``."""
    nodes: defaultdict[str, list[str]] = defaultdict(list)
    for name, size in factors.items():
        if size != 1:
            node, _, dimension = name.rpartition(".")
            nodes[node].append(f"{dimension}={size}")
    return "; ".join((f"{node}: " if node else "") + " ".join(own) for node, own in nodes.items())


def _coefficient(key: str, node: str, value: Coefficient, users: str) -> tuple[str, ...]:
    spread = f"± {significant(100 * value.uncertainty, 2)} %: {value.uncertainty_basis}"
    kind = f"{value.kind}, {value.confidence}" if value.confidence else value.kind
    return (
        key, f"{value.value:g}", value.unit, value.format, node, kind, spread, value.recipe, value.source, users,
    )  # fmt: skip


def _coverage(group: tuple[str, ...], result: Result) -> Coverage:
    kinds: dict[tuple[str, str, str], Missing] = {}
    for cost in result.operators:
        if not cost.covered:
            key = (cost.source, cost.phase, cost.primitive)
            kind = kinds.setdefault(key, Missing(*key))
            kind.names.append(cost.name)
            kind.executions += cost.count
            kind.bits += cost.bits_moved * cost.count
    missing = sorted(kinds.values(), key=lambda kind: -kind.bits)
    return Coverage(group, result.coverage, len(result.operators), tuple(missing))


def _architecture(a: Architecture) -> tuple[str, ...]:
    return (
        a.name, a.title, f"{a.elements:,}", f"{a.clock_mhz:g}", in_units(a.peak_operations_per_s, "op/s", 3),
        a.buffer, f"{a.dram_bytes_per_s / 1e9:g} GB/s",
    )  # fmt: skip
