"""The part of docs/gpu.md about steps measured on Hopper boards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.validation.hopper_fit import PARTS
from benchmarks.validation.steps import DEVICES, Predicted, measurements, predict, predict_product, steps
from benchmarks.validation.throughput import gpu_called
from hwsim.gpu.behaviour import behaviour

Errors = tuple[float, float]
"""Of time and of energy, in percent."""


def measured_steps() -> Mapping[str, Any]:
    """Return the values that the page names: counts, medians and the table."""
    fitted, other = DEVICES
    of_steps = {device: _errors_of_steps(device) for device in DEVICES}
    medians = {device: _medians(errors.values()) for device, errors in of_steps.items()}
    return {
        "steps": len(steps(fitted).rows), "products": len(measurements(f"{fitted}-torch").timings),
        "parts": len(PARTS), "torch": steps(fitted).versions["torch"],
        "h200_time": medians[fitted][0], "h200_energy": medians[fitted][1],
        "h100_time": medians[other][0], "h100_energy": medians[other][1],
        "h200_products": _medians(_errors_of_products(fitted)), "h100_products": _medians(_errors_of_products(other)),
        "measured_steps": _table_of_steps(of_steps),
    }  # fmt: skip


def _errors_of_steps(device: str) -> dict[str, Errors]:
    gpu = gpu_called(device)
    return {
        row.title: _errors(predict(row, gpu, behaviour(gpu.fit)), row.median_s, row.energy_j)
        for row in steps(device).rows
    }


def _errors_of_products(device: str) -> list[Errors]:
    gpu = gpu_called(device)
    return [
        _errors(predict_product(one, gpu, behaviour(gpu.fit)), one.median_s, one.energy_j)
        for one in measurements(f"{device}-torch").timings
        if one.median_s is not None and one.energy_j is not None
    ]


def _errors(found: Predicted, time_s: float, energy_j: float) -> Errors:
    return 100 * (found.time_s / time_s - 1), 100 * (found.energy_j / energy_j - 1)


def _medians(errors: Iterable[Errors]) -> Errors:
    times, energies = zip(*errors, strict=True)
    return median(map(abs, times)), median(map(abs, energies))


def _table_of_steps(errors: Mapping[str, Mapping[str, Errors]]) -> str:
    known = {device: {row.title: row for row in steps(device).rows} for device in DEVICES}
    head = ["network, batch, format", *(f"{device}: {what}" for device in DEVICES for what in ("ms", "J"))]
    rows = []
    for title in known[DEVICES[0]]:
        cells = [title]
        for device in DEVICES:
            if title not in known[device]:
                cells += ["", ""]
                continue
            row, (time, energy) = known[device][title], errors[device][title]
            cells += [f"{row.median_s * 1e3:.4g} ({time:+.0f} %)", f"{row.energy_j:.4g} ({energy:+.0f} %)"]
        rows.append(cells)
    return table(head, rows)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown whose first column is text."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
