"""Fit the GPU model on measured training runs and write what comes out.

``HWSIM_DATA=FOLDER python -m benchmarks.validation.gpu_fit`` reads the V100 and P100 traces in ``gpu_power`` and
the rows of `throughput.csv` that are for fitting, starts from `START`, and writes ``hwsim/gpu/fits/volta.yaml``, the
fitted numbers of two presets and of the workloads, and `left_out.json`: errors on every workload of fits that never saw
it. The same data give the same bytes.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from benchmarks.validation.throughput import gpu_called, throughputs
from hwsim.architecture import Gpu
from hwsim.files import write_text
from hwsim.gpu.behaviour import Behaviour, Device, Energies, HostWork, fit_path
from hwsim.gpu.technology import technology_of_gpu
from hwsim.validation.power_trace import QUANTITIES, Epoch, TraceRow, predicted_epochs, read_trace
from hwsim.validation.training_steps import TrainingWorkload, training_workloads

GPUS = ("v100", "p100")
SPREAD = 0.08
"""Relative error up to which squares count."""
START = {
    "device.scalar_efficiency": 0.66, "device.matrix_efficiency": 0.42, "device.unaligned_share": 0.5,
    "device.recurrent_efficiency": 0.17,
    "device.skinny_operations": 0.53, "device.dram_efficiency": 0.92, "device.cache_speed": 1.0,
    "device.cache_share": 1.7, "device.product_traffic": 1.0, "device.stream_traffic": 1.05,
    "device.kernel_s": 1.5e-6, "device.occupancy": 0.05, "device.voltage_floor": 0.79, "device.floor_clock": 0.62,
    "device.idle_clocked": 0.5, "device.limit_share": 0.93, "host.forward_s": 9e-5, "host.backward_s": 1.5e-5,
    "host.inference_s": 4.63e-5,
    "host.optimizer_s": 3.7e-6, "host.step_s": 9e-4, "energy.node_nm": 12.0,
    "energy.die_mm2": 815.0, "energy.scalar_pj": 6.5, "energy.matrix_pj": 2.0, "energy.active_pj": 3000.0,
    "energy.chip_pj": 40.0, "energy.dram_pj": 4.0, "p100.slowness": 1.77, "v100.idle_w": 32.0, "p100.idle_w": 28.0,
    "cifar100.loading_s": 2.6e-5, "movielens-1m.loading_s": 1.2e-6, "squad.log_mean": 4.75,
    "squad.log_deviation": 0.66, "sentiment140.log_mean": 2.7, "sentiment140.log_deviation": 0.47,
}  # fmt: skip
FIXED = (
    "energy.node_nm", "energy.die_mm2", "device.kernel_s", "device.product_traffic", "device.occupancy",
    "device.dram_efficiency", "device.unaligned_share", "host.inference_s", "device.matrix_efficiency",
)  # fmt: skip
"""The cost hardly depends on them (the last is fitted on throughputs alone).

The rate of unaligned products is what a multiprocessor of an H200 does in a cycle, on an A100; what an operator of
inference takes over one of training is also that of the H200.
"""
EXPECTED = {"energy.matrix_pj": (2.0, 0.2), "v100.idle_w": (36.0, 0.1), "p100.idle_w": (28.0, 0.1)}
"""Known from elsewhere, with a relative spread: products on matrix units that take a V100 to its limit, and listings of
nvidia-smi without load."""
OF_WORKLOAD = {"cifar100": "device.skinny_operations", "librispeech": "device.recurrent_efficiency"}
"""Numbers that one data set alone decides, beside its own."""
SHARES_OF_ONE = re.compile(r"device\..*(efficiency|floor|clock|clocked|limit_share|unaligned_share)")
ROOT = Path(str(files("hwsim")))
BEHAVIOUR = fit_path("volta")
LEFT_OUT = Path(__file__).with_name("left_out.json")
SOURCE = """\
source: >-
  {rows} rows of training on a V100 and a P100: You, Chung, Chowdhury, Zeus: Understanding and Optimizing GPU Energy
  Consumption of DNN Training, NSDI 2023, traces in github.com/ml-energy/zeus (Apache-2.0); matrix_efficiency:
  {throughputs} throughputs of a V100 and an A100, github.com/lambdal/deeplearning-benchmark
recipe: >-
  least squares of the logarithms of seconds per epoch and watts, soft L1 loss; python -m benchmarks.validation.gpu_fit
"""

Values = dict[str, float]
Rows = Mapping[str, Sequence[TraceRow]]
"""By GPU."""


def behaviour_of(values: Mapping[str, float]) -> Behaviour:
    """Return the model with ``values``."""
    return Behaviour(
        source="fit", recipe="fit", device=Device(**_part(values, "device")), host=HostWork(**_part(values, "host")),
        energy=Energies(**_part(values, "energy")),
    )  # fmt: skip


def predictions(rows: Rows, values: Mapping[str, float]) -> list[Epoch]:
    """Return the epochs of all rows."""
    fitted, epochs = behaviour_of(values), []
    workloads = {key: _workload(one, _part(values, key[0])) for key, one in training_workloads().items()}
    for name, own in rows.items():
        gpu = _gpu(name, _part(values, name))
        runs = [(row, workloads[row.dataset, row.network]) for row in own]
        epochs += predicted_epochs(runs, gpu, technology_of_gpu(gpu, fitted.energy), fitted)
    return epochs


def fit(rows: Rows, start: Values, *, kept: Collection[str] = (), evaluations: int = 40) -> Values:
    """Return the values with the least errors on ``rows``, rounded; ``kept`` stay as they are."""
    measured = _logs([row.measured for own in rows.values() for row in own])

    def errors(values: Values) -> NDArray[np.float64]:
        beside = [math.log(values[name] / value) / spread * SPREAD for name, (value, spread) in EXPECTED.items()]
        return np.append(_logs(predictions(rows, values)) - measured, beside)

    return least(errors, start, [name for name in start if name not in {*FIXED, *kept}], evaluations)


def fit_matrix_efficiency(start: Values) -> Values:
    """Return ``start`` with the share of the peak that suits the throughputs that are for fitting."""
    rows = [row for row in throughputs() if row.use == "fit"]

    def errors(values: Values) -> NDArray[np.float64]:
        fitted = behaviour_of(values)
        return np.array([math.log(row.predicted(fitted) / row.samples_per_s) for row in rows])

    return least(errors, start, ["device.matrix_efficiency"], 20)


def left_out(rows: Rows, whole: Values) -> dict[str, dict[str, dict[str, float]]]:
    """Return the median errors in percent on every workload, by GPU, of fits on the other workloads.

    What no other workload tells is kept from the fit on all: lengths, seconds of loading, the rates of `OF_WORKLOAD`.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for dataset, network in training_workloads():
        others = {name: [row for row in own if row.dataset != dataset] for name, own in rows.items()}
        kept = {OF_WORKLOAD.get(dataset, ""), *(name for name in whole if name.startswith(f"{dataset}."))}
        values = fit(others, whole, kept=kept, evaluations=12)
        for name in rows:
            mine = [row for row in rows[name] if row.dataset == dataset]
            epochs = predictions({name: mine}, values)
            found.setdefault(f"{network} on {dataset}", {})[name] = {
                key: round(median(_error(row, epoch, key) for row, epoch in zip(mine, epochs, strict=True)), 1)
                for key in QUANTITIES
            }
    return found


def write(values: Values, rows: Rows) -> None:
    """Write the fitted numbers into the package."""
    head = SOURCE.format(
        rows=sum(map(len, rows.values())), throughputs=sum(row.use == "fit" for row in throughputs())
    )  # fmt: skip
    parts = (f"{part}:\n{listed(values, part)}" for part in ("device", "host", "energy"))
    write_text(BEHAVIOUR, head + "".join(parts))
    for name in GPUS:
        preset = ROOT / "architecture" / "presets" / f"{name}.yaml"
        text = re.sub(r"(?m)^idle_w: .*$", f"idle_w: {values[f'{name}.idle_w']:.3g}", preset.read_text())
        if f"{name}.slowness" in values:
            text = re.sub(r"slowness: [\d.]+", f"slowness: {values[f'{name}.slowness']:.3g}", text)
        write_text(preset, text)
    path = ROOT / "validation" / "steps" / "workloads.yaml"
    head, *workloads = re.split(r"(?m)^(?=- dataset: )", path.read_text())
    write_text(path, head + "".join(_with_own(text, values) for text in workloads))


def _with_own(workload: str, values: Values) -> str:
    dataset = workload.split("\n", 1)[0].removeprefix("- dataset: ")
    for name, value in _part(values, dataset).items():
        workload = re.sub(rf"\b{name}: [-+.\de]+", f"{name}: {value:.3g}", workload)
    return workload


def least(
    errors: Callable[[Values], NDArray[np.float64]], start: Values, names: list[str], evaluations: int
) -> Values:
    """Return ``start`` with the values of ``names`` that make ``errors`` least, rounded."""
    upper = [1e-9 if SHARES_OF_ONE.fullmatch(name) else np.inf for name in names]

    def values(logs: NDArray[np.float64]) -> Values:
        return {**start, **dict(zip(names, np.exp(logs), strict=True))}

    found = least_squares(
        lambda logs: errors(values(logs)), np.log([start[name] for name in names]), bounds=(-np.inf, upper),
        loss="soft_l1", f_scale=SPREAD, max_nfev=evaluations, diff_step=2e-3, x_scale=0.1,
    )  # fmt: skip
    print(f"cost {found.cost:.4f} after {found.nfev} evaluations: {found.message}", flush=True)
    return {name: float(f"{value:.3g}") for name, value in values(found.x).items()}


def _logs(epochs: Sequence[Epoch]) -> NDArray[np.float64]:
    return np.log([(epoch.time_s, epoch.power_w) for epoch in epochs]).ravel()


def _error(row: TraceRow, epoch: Epoch, key: str) -> float:
    return abs(epoch.values[key] / row.measured.values[key] - 1) * 100


def _gpu(name: str, own: Values) -> Gpu:
    gpu = gpu_called(name)
    host = gpu.host.model_copy(update={"slowness": own.pop("slowness", gpu.host.slowness)})
    return gpu.model_copy(update={**own, "host": host})


def _workload(workload: TrainingWorkload, own: Values) -> TrainingWorkload:
    tokens = {name: own[name] for name in ("log_mean", "log_deviation") if name in own}
    update: dict[str, Any] = {"loading_s": own.get("loading_s", workload.loading_s)}
    if workload.tokens:
        update["tokens"] = workload.tokens.model_copy(update=tokens)
    return workload.model_copy(update=update)


def _part(values: Mapping[str, float], part: str) -> Values:
    return {name.partition(".")[2]: value for name, value in values.items() if name.partition(".")[0] == part}


def listed(values: Values, part: str) -> str:
    """Return the values of a part as YAML."""
    return "".join(f"  {name}: {value:g}\n" for name, value in _part(values, part).items())


def main() -> None:
    """Fit and write."""
    folder = Path(os.environ["HWSIM_DATA"]) / "gpu_power"
    rows = {name: read_trace(folder / f"zeus_nsdi23_{name}.csv") for name in GPUS}
    values = fit_matrix_efficiency(fit(rows, fit_matrix_efficiency(START)))
    values = fit(rows, values)
    write(values, rows)
    write_text(LEFT_OUT, json.dumps(left_out(rows, values), indent=1) + "\n")


if __name__ == "__main__":
    main()
