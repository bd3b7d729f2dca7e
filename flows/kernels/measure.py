"""Times of kernels on this machine's CPU with one thread, beside PyTorch's product in fp32."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from flows.kernels.kernel import Kernel, Shape
from flows.kernels.run import operands
from flows.kernels.worker import TIMEOUT_S, Outcome, perform
from hwsim.gpu.measured import Measurements, Timing

ROUNDS = 3
"""All kernels take turns, so that a busy while does not fall on one of them."""
BASELINE = "torch-fp32"
_PACKAGES = ("apache-tvm", "apache-tvm-ffi", "torch", "numpy")

Progress = Callable[[int, int], None]


def measure(
    kernels: Sequence[Kernel],
    shape: Shape,
    repetitions: int = 50,
    timeout_s: float = TIMEOUT_S,
    progress: Progress | None = None,
) -> Measurements:
    """Time ``kernels``, and PyTorch's product of the same shape, ``repetitions`` calls in each of three rounds.

    A kernel that fails, crashes or takes too long is listed as such.
    """
    outcomes: dict[str, list[Outcome]] = {}
    errors: dict[str, float] = {}
    for turn in range(ROUNDS):
        for kernel in kernels:
            a, stored = kernel.random(shape, seed=turn)
            outcome = perform("measure", _request(kernel, shape, repetitions), operands(a, stored), timeout_s)
            outcomes.setdefault(kernel.name, []).append(outcome)
            if outcome.status == "ok":
                error = kernel.error(outcome.arrays["C"], a, stored)
                errors[kernel.name] = max(error, errors.get(kernel.name, 0.0))
            if progress:
                progress(turn * len(kernels) + len(outcomes), ROUNDS * len(kernels))
        outcomes.setdefault(BASELINE, []).append(
            perform("measure_torch", {"shape": shape.model_dump(), "repetitions": repetitions}, timeout_s=timeout_s)
        )
    rows = [
        _timing(kernel.name, kernel.primitive, kernel.formats, shape, outcomes[kernel.name], errors.get(kernel.name))
        for kernel in kernels
    ]
    rows.append(_timing(BASELINE, "mac", ("fp32", "fp32"), shape, outcomes[BASELINE], None))
    machine = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    return Measurements(
        device="cpu", device_name=cpu_name(), date=time.strftime("%Y-%m-%d"),
        versions={"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        conditions=f"one thread; {ROUNDS} rounds in turn; data in cache; {machine}",
        timings=tuple(rows),
    )  # fmt: skip


def cpu_name() -> str:
    """Return what the operating system calls the processor."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _request(kernel: Kernel, shape: Shape, repetitions: int) -> dict[str, object]:
    return {"kernel": kernel.name, "shape": shape.model_dump(), "cpu": "native", "repetitions": repetitions}


def _timing(
    name: str, primitive: str, formats: tuple[str, str], shape: Shape, outcomes: list[Outcome], error: float | None
) -> Timing:
    row = {"kernel": name, "primitive": primitive, "formats": formats, **shape.model_dump()}
    bad = [outcome for outcome in outcomes if outcome.status != "ok"]
    if bad:
        return Timing(**row, status=bad[0].status, detail=bad[0].detail)
    seconds = np.concatenate([outcome.arrays["seconds"] for outcome in outcomes])
    lower, median, upper = (float(value) for value in np.quantile(seconds, (0.25, 0.5, 0.75)))
    return Timing(
        **row, repetitions=len(seconds), best_s=float(seconds.min()), lower_quartile_s=lower, median_s=median,
        upper_quartile_s=upper, error=error,
    )  # fmt: skip
