"""Fit ``hwsim/gpu/behaviour.yaml`` and the workloads' unknowns on measured training runs, and print what comes out.

``HWSIM_DATA=FOLDER python -m benchmarks.validation.gpu_fit [EVALUATIONS]`` reads the two traces of Zeus in
``gpu_power``, starts from the committed values and uses every third row. Nothing is written: the numbers go into the
files by hand.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from hwsim.architecture import Gpu, load_architecture
from hwsim.gpu.behaviour import Behaviour, Device, EnergyShares, HostWork, behaviour
from hwsim.gpu.technology import technology_of_gpu
from hwsim.validation.power_trace import TraceRow, predicted_epoch, read_trace
from hwsim.validation.training_steps import TrainingWorkload, training_workloads

GPUS = ("v100", "p100")
STRIDE = 3
SPREAD = 0.08
"""Relative error up to which squares count."""
SHARES_OF_ONE = (
    "device.scalar_efficiency", "device.matrix_efficiency", "device.dram_efficiency", "device.voltage_floor",
    "device.floor_clock", "device.limit_share",
)  # fmt: skip
FIXED = ("device.kernel_s", "device.product_traffic", "device.occupancy", "device.dram_efficiency")
"""At the end of what is plausible in earlier fits, and kept there."""

Values = dict[str, float]


def committed() -> Values:
    """Return every fitted number by a dotted name."""
    fitted = behaviour()
    parts = {"device": fitted.device, "host": fitted.host, "energy": fitted.energy}
    values = {f"{part}.{name}": value for part, model in parts.items() for name, value in model.model_dump().items()}
    p100 = _gpu("p100")
    values |= {"p100.slowness": p100.host.slowness, "p100.scalar_share": p100.scalar_share or 0.0}
    values |= {f"{name}.idle_w": _gpu(name).idle_w for name in GPUS}
    for (dataset, _), workload in training_workloads().items():
        if workload.loading_s:
            values[f"{dataset}.loading_s"] = workload.loading_s
        if workload.tokens:
            values[f"{dataset}.log_mean"] = workload.tokens.log_mean
            values[f"{dataset}.log_deviation"] = workload.tokens.log_deviation
    return values


def predictions(rows: Sequence[tuple[str, TraceRow]], values: Mapping[str, float]) -> NDArray[np.float64]:
    """Return seconds per epoch and watts, shape ``(rows, 2)``."""
    fitted = Behaviour(
        source="fit", recipe="fit", device=Device(**_part(values, "device")), host=HostWork(**_part(values, "host")),
        energy=EnergyShares(**_part(values, "energy")),
    )  # fmt: skip
    gpus = {name: _with_values(name, values) for name in GPUS}
    tables = {name: technology_of_gpu(gpu, fitted.energy) for name, gpu in gpus.items()}
    workloads = {key: _workload(one, _part(values, key[0])) for key, one in training_workloads().items()}
    epochs = (
        predicted_epoch(row, workloads[row.dataset, row.network], gpus[name], tables[name], fitted)
        for name, row in rows
    )
    return np.array([(epoch.time_s, epoch.power_w) for epoch in epochs])


def fit(rows: Sequence[tuple[str, TraceRow]], evaluations: int) -> Values:
    """Return the values with the least errors, starting from the committed ones."""
    start = committed()
    names = [name for name in start if name not in FIXED]
    measured = np.array([(row.measured.time_s, row.measured.power_w) for _, row in rows])
    upper = [0.0 if name in SHARES_OF_ONE else np.log(10 * start[name]) for name in names]

    def errors(logs: NDArray[np.float64]) -> NDArray[np.float64]:
        values = {**start, **dict(zip(names, np.exp(logs), strict=True))}
        residuals: NDArray[np.float64] = np.log(predictions(rows, values) / measured).ravel()
        return residuals

    found = least_squares(
        errors, np.log([start[name] for name in names]), bounds=(-np.inf, upper), loss="soft_l1", f_scale=SPREAD,
        max_nfev=evaluations, diff_step=2e-3, verbose=2,
    )  # fmt: skip
    return {**start, **dict(zip(names, np.exp(found.x), strict=True))}


def _gpu(name: str) -> Gpu:
    gpu, _ = load_architecture(name)
    assert isinstance(gpu, Gpu)
    return gpu


def _with_values(name: str, values: Mapping[str, float]) -> Gpu:
    gpu, own = _gpu(name), _part(values, name)
    host = gpu.host.model_copy(update={"slowness": own.pop("slowness", gpu.host.slowness)})
    return gpu.model_copy(update={**own, "host": host})


def _workload(workload: TrainingWorkload, own: Mapping[str, float]) -> TrainingWorkload:
    tokens = {name: own[name] for name in ("log_mean", "log_deviation") if name in own}
    update: dict[str, object] = {"loading_s": own.get("loading_s", workload.loading_s)}
    if workload.tokens:
        update["tokens"] = workload.tokens.model_copy(update=tokens)
    return workload.model_copy(update=update)


def _part(values: Mapping[str, float], part: str) -> Values:
    return {name.partition(".")[2]: value for name, value in values.items() if name.partition(".")[0] == part}


def main(evaluations: str = "30") -> None:
    """Fit and print."""
    folder = Path(os.environ["HWSIM_DATA"]) / "gpu_power"
    rows = [(name, row) for name in GPUS for row in read_trace(folder / f"zeus_nsdi23_{name}.csv")]
    for name, value in fit(rows[::STRIDE], int(evaluations)).items():
        print(f"{name}: {value:.4g}")


if __name__ == "__main__":
    main(*sys.argv[1:])
