"""What is left of a paper's savings without its assumptions, one at a time, and under whole-element accounting."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import hwsim
from flows.reproduce.registry import Progress
from flows.reproduce.report import Chart, Section
from hwsim.cost.accounting import Convention, Operation, PrimitiveRule, load_convention
from hwsim.cost.result import Result
from hwsim.mapping.cache import disabled
from hwsim.workload import Workload
from hwsim.workload.operator import Primitive
from models.elements import in_8_bits

ARRAY = "pe-array-45nm-mixed"
"""The array of this project's processing elements."""
AS_PUBLISHED, WITHOUT_ALL, WHOLE = "as published", "none of the four", "elements, INT8"


def _own_width(rule: PrimitiveRule) -> PrimitiveRule:
    return rule.model_copy(update={"memory_bits": None})


def _own_cycles(rule: PrimitiveRule) -> PrimitiveRule:
    return rule.model_copy(update={"latency_divisor": 1.0})


def _off_chip(rule: PrimitiveRule) -> PrimitiveRule:
    return rule.model_copy(update={"on_chip": False})


def _accumulating(rule: PrimitiveRule) -> PrimitiveRule:
    """One more addition: at the format of products and distances, INT32 behind a shift."""
    addition: Operation = "accumulate" if "shift" in rule.operations else "add"
    operations = {**rule.operations, addition: rule.operations.get(addition, 0.0) + 1}
    return rule.model_copy(update={"operations": operations})


ASSUMPTIONS: dict[str, Callable[[PrimitiveRule], PrimitiveRule]] = {
    "10-bit words": _own_width,
    "cycles / 3.2": _own_cycles,
    "on-chip adds": _off_chip,
    "free additions": _accumulating,
}
"""What the published convention assumes, and the rule of a primitive without it: words of shifts, their cycles,
distances that touch no memory, and the addition behind every product that is not charged."""
ACCUMULATES: Primitive = "binary_add"
"""Its one addition is the accumulation."""


def without(convention: Convention, *assumptions: str) -> Convention:
    """Return the convention without these assumptions."""
    primitives: dict[Primitive, PrimitiveRule] = dict(convention.primitives)
    for assumption in assumptions:
        paid = ACCUMULATES if assumption == "free additions" else ""
        primitives = {
            name: rule if name == paid else ASSUMPTIONS[assumption](rule) for name, rule in primitives.items()
        }
    widths = tuple(
        width.model_copy(update={"formats": {**width.formats, "accumulate": "int32"}}) for width in convention.widths
    )
    named = ", ".join(assumptions)
    return convention.model_copy(
        update={"name": f"{convention.name} without {named}", "primitives": primitives, "widths": widths}
    )


def ablation(
    networks: Mapping[str, Workload], convention: str, name: str, progress: Progress | None = None
) -> tuple[Section, Section]:
    """Price networks under a published convention, without each assumption, without all, and as whole elements.

    Parameters
    ----------
    networks
        By the name to show; the first is what the others are compared with.
    convention
        Of the paper, on the array ``eyeriss-45nm``.
    name
        Of the charts' files.

    Returns
    -------
    tuple of Section
        Energy and latency.
    """
    published = load_convention(convention)
    conventions = {AS_PUBLISHED: published, **{f"no {one}": without(published, one) for one in ASSUMPTIONS}}
    conventions[WITHOUT_ALL] = without(published, *ASSUMPTIONS)
    results: dict[str, list[Result]] = {}
    for label, own in conventions.items():
        results[label] = [hwsim.score(network, on="eyeriss-45nm", accounting=own) for network in networks.values()]
        if progress:
            progress(len(results), len(conventions) + 1)
    results[WHOLE] = [whole_elements(network) for network in networks.values()]
    energy = {label: [one.energy_j * 1e3 for one in row] for label, row in results.items()}
    latency = {label: [one.latency_s * 1e3 for one in row] for label, row in results.items()}
    return (
        _section("Energy", "mJ", tuple(networks), energy, f"{name}-energy"),
        _section("Latency", "ms", tuple(networks), latency, f"{name}-latency"),
    )


def whole_elements(network: Workload) -> Result:
    """Price a network in 8 bits on an array of this project's elements, each with accumulator, registers and clock.

    What is no contraction is left out, as the papers do.
    """
    with disabled():
        return hwsim.score(in_8_bits(network), on=ARRAY, accounting="pe")


def _section(
    quantity: str, unit: str, networks: tuple[str, ...], values: Mapping[str, list[float]], chart: str
) -> Section:
    reference, *others = networks
    rows = [(label, *row, *(value / row[0] for value in row[1:])) for label, row in values.items()]
    return Section(
        title=f"{quantity} without the assumptions",
        text=(
            f"{quantity} of an image in {unit}, and the ratio to {reference}. The first row is the published"
            " convention, the next four lack one assumption each: 10-bit words of shifts, their cycles divided by 3.2,"
            " adder layers on chip, free additions behind products, shifts and distances. The last is whole elements on"
            " another array and in INT8: compare its ratios alone."
        ),
        head=("assumptions", *(f"{name}, {unit}" for name in networks), *(f"{name} : {reference}" for name in others)),
        rows=tuple(rows),
        charts=(
            Chart(
                name=chart, title=f"{quantity} over {reference}'s", unit="times", groups=tuple(values),
                series={
                    name: tuple(row[index] / row[0] for row in values.values())
                    for index, name in enumerate(others, start=1)
                },
            ),
        ),
    )  # fmt: skip
