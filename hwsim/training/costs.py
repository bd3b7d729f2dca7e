"""What a run costs, exactly, from the cost of every form of its operators and how often each was executed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.cost.result import Charge, OperatorCost
from hwsim.cost.timeline import Point, Timeline
from hwsim.technology import Coefficient
from hwsim.training.facts import Facts
from hwsim.training.run import TrainingRun
from hwsim.training.variants import Variants

Priced = Sequence[tuple[Variants, Sequence[OperatorCost]]]
"""Operators with the cost of one execution of each of their forms."""


def operator_costs(run: TrainingRun, priced: Priced) -> Iterator[OperatorCost]:
    """Yield the cost of every operator, one execution being the mean over the steps of the run."""
    times, updates = run.tally.times.sum(axis=0), run.tally.updates.sum(axis=0)
    for one, costs in priced:
        weights = [(updates if one.is_update else times)[place] for place, _ in one.forms]
        steps = run.executions[one.structure][1]
        mean = costs[0] if weights == [steps] else _mean(costs, [weight / steps for weight in weights])
        facts = [run.tally.columns[place].facts for place, _ in one.forms]
        yield mean.model_copy(
            update={
                "name": one.operator.name, "module": one.operator.module, "source": one.operator.source,
                "phase": one.operator.phase, "count": one.operator.count * steps,
                "note": "; ".join(filter(None, (mean.note, _told(facts, weights, steps)))),
            }
        )  # fmt: skip


def _mean(costs: Sequence[OperatorCost], weights: Sequence[float]) -> OperatorCost:
    """Return the expected cost; mapping and bound are those of the form that takes most energy."""
    charges: dict[tuple[Any, ...], list[tuple[float, float]]] = defaultdict(list)
    for cost, weight in zip(costs, weights, strict=True):
        for one in cost.charges:
            key = one.component, one.node, one.operand, one.coefficient, one.bits
            charges[key].append((one.times * weight, one.energy_pj * weight))

    def expected(value: Callable[[OperatorCost], float]) -> float:
        return math.fsum(value(cost) * weight for cost, weight in zip(costs, weights, strict=True))

    most = max(zip(costs, weights, strict=True), key=lambda pair: pair[0].energy_pj * pair[1])[0]
    return most.model_copy(
        update={
            "macs": round(expected(lambda cost: cost.macs)),
            "bits_moved": round(expected(lambda cost: cost.bits_moved)),
            "energy_pj": expected(lambda cost: cost.energy_pj),
            "latency_s": expected(lambda cost: cost.latency_s),
            "dram_bits_saved": expected(lambda cost: cost.dram_bits_saved),
            "charges": tuple(_charge(key, parts) for key, parts in charges.items()),
        }
    )


def _charge(key: tuple[Any, ...], parts: Sequence[tuple[float, float]]) -> Charge:
    component, node, operand, coefficient, bits = key
    times, energies = zip(*parts, strict=True)
    return Charge(
        component=component, node=node, operand=operand, coefficient=coefficient, bits=bits, times=math.fsum(times),
        energy_pj=math.fsum(energies),
    )  # fmt: skip


def _told(facts: Sequence[Facts], weights: Sequence[float], steps: int) -> str:
    """Say how often which facts held, if any did."""
    if list(facts) == [Facts()] and weights == [steps]:
        return ""
    shares = sorted(zip(weights, map(_words, facts), strict=True), key=lambda pair: -pair[0])[:4]
    return "; ".join(f"{100 * weight / steps:.3g} % {words}" for weight, words in shares)


def _words(facts: Facts) -> str:
    given = facts.model_dump(exclude_defaults=True)
    return ", ".join(f"{name} {value}" for name, value in given.items()) or "as traced"


def timeline(run: TrainingRun, priced: Priced, known: Mapping[str, Coefficient]) -> Timeline:
    """Return the cost of every span of the run, ``known`` being the coefficients by key."""
    energy_pj, latency_s, dram_bits, coefficients = (_Spread(run) for _ in range(4))
    for one, costs in priced:
        phase, module, count = ("phase", one.operator.phase), ("module", one.operator.module), one.operator.count
        for (place, _), cost in zip(one.forms, costs, strict=True):
            add = (one.is_update, place)
            for group in (phase, module):
                energy_pj.add(*add, group, cost.energy_pj * count)
                latency_s.add(*add, group, cost.latency_s * count)
            dram_bits.add(*add, ("", ""), cost.dram_bits * count)
            for charge in cost.charges:
                energy_pj.add(*add, ("component", charge.component), charge.energy_pj * count)
                energy_pj.add(*add, ("level", charge.level), charge.energy_pj * count)
                coefficients.add(*add, ("", charge.coefficient), charge.energy_pj * count)
    errors = sum(
        (values * known[key[1]].uncertainty) ** 2 for key, values in coefficients.tables().items()
    ) + np.zeros(len(run.tally.spans))  # fmt: skip
    energies, latencies, traffic = energy_pj.tables(), latency_s.tables(), dram_bits.tables()[("", "")]
    points = tuple(
        _point(run, row, _of_row(energies, row, 1e-12), _of_row(latencies, row), float(np.sqrt(errors[row])),
               float(traffic[row]))
        for row in range(len(run.tally.spans))
    )  # fmt: skip
    return Timeline(points=points, metrics=run.metrics)


class _Spread:
    """Sums over the columns of the tally, in groups; one product of matrices gives them for every span."""

    def __init__(self, run: TrainingRun) -> None:
        self._tally = run.tally
        self._groups: dict[tuple[str, str], int] = {}
        self._entries: tuple[dict[tuple[int, int], float], dict[tuple[int, int], float]] = (
            defaultdict(float), defaultdict(float),
        )  # fmt: skip

    def add(self, is_update: bool, column: int, group: tuple[str, str], value: float) -> None:
        """Add to what one execution of ``column``, or one update of it, makes in ``group``."""
        place = self._groups.setdefault(group, len(self._groups))
        self._entries[is_update][column, place] += value

    def tables(self) -> dict[tuple[str, str], NDArray[np.float64]]:
        """Return the sums of each group, one for every span."""
        total = np.zeros((len(self._tally.spans), len(self._groups)))
        for counts, entries in zip((self._tally.times, self._tally.updates), self._entries, strict=True):
            values = np.zeros((counts.shape[1], len(self._groups)))
            for key, value in entries.items():
                values[key] = value
            total += counts @ values
        return {group: total[:, place] for group, place in self._groups.items()}


def _of_row(
    tables: Mapping[tuple[str, str], NDArray[np.float64]], row: int, unit: float = 1.0
) -> Mapping[str, dict[str, float]]:
    """Return the sums of one span, by kind of group and by name."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for (kind, name), values in tables.items():
        found[kind][name] = float(values[row]) * unit
    return found


def _point(
    run: TrainingRun, row: int, energy_j: Mapping[str, dict[str, float]], latency_s: Mapping[str, dict[str, float]],
    error_pj: float, dram_bits: float,
) -> Point:  # fmt: skip
    ran = {column.structure for column, times in zip(run.tally.columns, run.tally.times[row], strict=True) if times}
    memories = [workload.memory for place, (workload, _) in enumerate(run.executions) if place in ran]
    return Point(
        **run.tally.spans[row]._asdict(),
        energy_j=math.fsum(energy_j["phase"].values()), uncertainty_j=error_pj * 1e-12,
        latency_s=math.fsum(latency_s["phase"].values()), dram_bytes=dram_bits / 8,
        peak_memory_bytes=max((memory.peak_bytes for memory in memories if memory), default=0),
        energy_j_by_phase=energy_j["phase"], energy_j_by_component=energy_j["component"],
        energy_j_by_module=energy_j["module"], energy_j_by_level=energy_j["level"],
        latency_s_by_phase=latency_s["phase"], latency_s_by_module=latency_s["module"],
    )  # fmt: skip
