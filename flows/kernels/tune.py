"""Schedules by search: traces of TVM's MetaSchedule, the best of them kept as files. No kernel needs one to be used.

A trial draws a schedule from MetaSchedule's space of a kernel and times it. The space knows no dot products of our own,
so what is found competes with the schedule by hand (`flows.kernels.cpu`) mostly where that is vectorised only.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from flows.kernels.kernel import Kernel, Shape
from flows.kernels.measure import cpu_name
from flows.kernels.worker import KernelError, perform
from hwsim.errors import InputError
from hwsim.files import Frozen, read_model, write_text

DATABASE = Path(__file__).with_name("traces")
"""The traces that are part of the package."""


class Trace(Frozen):
    """The best schedule of a search."""

    schema_: Literal["hwsim/kernel-trace/1"] = Field(default="hwsim/kernel-trace/1", alias="schema")
    kernel: str
    shape: str
    device_name: str
    trials: int
    failed: int
    """Trials whose schedule did not compile or run."""
    best_s: float
    by_hand_s: float
    """Least time of the schedule by hand, in the same process."""
    trace: list[Any]
    """As TVM writes it."""


def tune(kernel: Kernel, shape: Shape, trials: int, seed: int, timeout_s: float) -> Trace:
    """Search for a schedule on this CPU with one thread.

    Raises
    ------
    KernelError
        If no trial succeeds, or TVM fails, crashes or takes too long.
    MissingPackageError
        If TVM is not installed.
    """
    request = {"kernel": kernel.name, "shape": shape.model_dump(), "cpu": "native", "trials": trials, "seed": seed}
    found = perform("tune", request, timeout_s=timeout_s).checked().data
    if found["trace"] is None:
        raise KernelError(f"none of {trials} schedules of {kernel.name} could be run")
    return Trace(
        kernel=kernel.name, shape=str(shape), device_name=cpu_name(), trials=trials, failed=found["failed"],
        best_s=found["best_s"], by_hand_s=found["by_hand_s"], trace=json.loads(found["trace"]),
    )  # fmt: skip


def path_of(kernel: Kernel, shape: Shape, folder: Path = DATABASE) -> Path:
    """Return where the trace of a kernel and shape lies."""
    return folder / f"{kernel.name}-{shape}.json"


def store(trace: Trace, kernel: Kernel, shape: Shape, folder: Path) -> Path:
    """Write a trace into a database, unless the one that is there is faster; return its file."""
    path = path_of(kernel, shape, folder)
    if path.exists() and read_model(path, Trace).best_s <= trace.best_s:
        return path
    return write_text(path, trace.model_dump_json(by_alias=True) + "\n")


def load(kernel: Kernel, shape: Shape, folder: Path = DATABASE) -> Trace:
    """Return the trace of a kernel and shape.

    Raises
    ------
    InputError
        If the database has none.
    """
    path = path_of(kernel, shape, folder)
    if not path.is_file():
        rule = f"must have a trace of {kernel.name} {shape}: hwsim kernels tune makes one"
        raise InputError(rule, field="database", value=str(folder))
    return read_model(path, Trace)
