"""One simulated step on a time axis, in the trace event format that Perfetto and chrome://tracing open.

Format: "Trace Event Format", the Chromium project; complete events (``ph: X``) with times in microseconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hwsim.cost.result import Result
from hwsim.files import write_text
from hwsim.report.comparison import labels


def write_step_trace(results: Sequence[Result], path: Path | str) -> Path:
    """Write the operators of one step of each result, one after another as the cost models take them.

    Each result is a process with one row for operators and one for phases, and counters of power and DRAM traffic. Of a
    training run it is the mean step: operators of all distinct steps, each as often as one step has it.
    """
    events: list[dict[str, Any]] = []
    for process, (result, label) in enumerate(zip(results, labels(results), strict=True), start=1):
        events += [_named("process_name", process, 0, label)]
        events += [_named("thread_name", process, row, name) for row, name in ((1, "phases"), (2, "operators"))]
        events += _events(result, process)
    return write_text(path, json.dumps({"displayTimeUnit": "ns", "traceEvents": events}) + "\n")


def _events(result: Result, process: int) -> Iterator[dict[str, Any]]:
    now, began, phase = 0.0, 0.0, ""
    for cost in result.operators:
        often = cost.count / result.steps
        lasts = cost.latency_s * often * 1e6
        if cost.phase != phase and now > began:
            yield _event(process, 1, phase, began, now - began, {})
            began = now
        phase = cost.phase
        if lasts:
            told = {
                "module": cost.module, "source": cost.source, "energy_j": cost.energy_pj * often * 1e-12,
                "executions": often, "bound": cost.bound, "note": cost.note,
            }  # fmt: skip
            yield _event(process, 2, cost.name, now, lasts, told)
            watts, rate = cost.energy_pj * often * 1e-6 / lasts, cost.dram_bits * often / 8 / lasts * 1e6
            yield _counter(process, "power (W)", now, watts)
            yield _counter(process, "DRAM (B/s)", now, rate)
        now += lasts
    if now > began:
        yield _event(process, 1, phase, began, now - began, {})


def _event(process: int, row: int, name: str, start_us: float, lasts_us: float, told: dict[str, Any]) -> dict[str, Any]:
    return {"ph": "X", "pid": process, "tid": row, "name": name, "ts": start_us, "dur": lasts_us, "args": told}


def _counter(process: int, name: str, start_us: float, value: float) -> dict[str, Any]:
    return {"ph": "C", "pid": process, "name": name, "ts": start_us, "args": {"value": value}}


def _named(what: str, process: int, row: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "pid": process, "tid": row, "name": what, "args": {"name": name}}
