"""Write docs/gpu.md: predictions beside measured training runs.

    HWSIM_DATA=FOLDER python -m benchmarks.validation.gpu
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.validation import mlperf
from benchmarks.validation.gpu_fit import LEFT_OUT
from benchmarks.validation.mlperf import Measured, Run
from benchmarks.validation.steps_table import measured_steps, table
from benchmarks.validation.throughput import Throughput, gpu_called, throughputs
from hwsim.architecture import Gpu, architectures, load_architecture
from hwsim.files import write_text
from hwsim.gpu.behaviour import behaviour
from hwsim.gpu.board import board_of
from hwsim.gpu.device import CLOCKS, SPLITS, TILES, clocked
from hwsim.gpu.kernels import Kernel, Kernels
from hwsim.gpu.technology import technology_of_gpu
from hwsim.validation.power_trace import Compared, TraceValidation, validate_trace

TEMPLATE = Path(__file__).with_suffix(".md")
PAGE = Path(__file__).parents[2] / "docs" / "gpu.md"
FITTED = ("v100", "p100")
def page(folder: Path) -> str:
    """Return the whole page for the traces in ``folder``."""
    found = {name: validate_trace(folder / f"zeus_nsdi23_{name}.csv", name) for name in FITTED}
    fitted = behaviour("volta")
    parameters = sum(len(part.model_dump(exclude_none=True)) for part in (fitted.device, fitted.host, fitted.energy))
    gpus = (name for name in architectures() if isinstance(load_architecture(name)[0], Gpu))
    runs = mlperf.rows()
    slower, cheaper = _at_clock("a100", 990 / 1410)
    return TEMPLATE.read_text().format(
        presets=", ".join(f"`{name}`" for name in gpus), tiles=len(TILES), splits=len(SPLITS), parameters=parameters,
        rows=sum(len(one.rows) for one in found.values()), medians=_medians(found), full=_full(found),
        left_out=_left_out(json.loads(LEFT_OUT.read_text())), throughputs=_throughputs(),
        checked=median(abs(_off(row)) for row in throughputs() if row.use == "check"), mlperf=_mlperf(runs),
        ranking=_ranking(runs), not_modelled=", ".join(mlperf.NOT_MODELLED), slower=slower, cheaper=cheaper,
        **measured_steps(),
    )  # fmt: skip


def _at_clock(name: str, share: float) -> tuple[float, float]:
    """Time and energy of a large product in half precision, over those at the highest clock."""
    gpu, fitted = gpu_called(name), behaviour(gpu_called(name).fit)
    size = 8192
    kernel = Kernel("forward", "fp16", size, size, size, 1, 2.0 * size**3, 6.0 * size**2)
    cost = clocked(Kernels.of([(kernel, 1.0)]), board_of(gpu, technology_of_gpu(gpu, fitted.energy)), fitted.device)
    dynamic_pj = cost.operations_pj + cost.on_chip_pj + cost.active_pj + cost.dram_pj[:, None]
    energy_j = cost.idle_w * cost.time_s + dynamic_pj * 1e-12
    time_s, energy_j = (np.interp([share, 1.0], CLOCKS, one[0]) for one in (cost.time_s, energy_j))
    return float(time_s[0] / time_s[1]), float(energy_j[0] / energy_j[1])


def _left_out(errors: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    head = ["workload left out", *(f"{name}: {what}" for name in FITTED for what in ("time", "power", "energy"))]
    rows = ([name, *(f"{x:.1f}" for gpu in FITTED for x in own[gpu].values())] for name, own in errors.items())
    return table(head, rows)


def _throughputs() -> str:
    rows = (
        [
            row.gpu, row.network, row.format, str(row.batch), row.use,
            f"{row.predicted(behaviour(gpu_called(row.gpu).fit)):.4g} / {row.samples_per_s:.4g} ({_off(row):+.0f} %)",
        ]
        for row in throughputs()
    )  # fmt: skip
    return table(["GPU", "network", "format", "batch", "use", "samples per second"], rows)


def _off(row: Throughput) -> float:
    return 100 * (row.predicted(behaviour(gpu_called(row.gpu).fit)) / row.samples_per_s - 1)


def _mlperf(runs: Sequence[tuple[Measured, Run]]) -> str:
    rows = []
    for measured, run in runs:
        pairs = [
            (run.samples_per_s, measured.run.samples_per_s), (run.node_w, measured.run.node_w),
            (run.joules(measured.nodes), measured.run.joules(measured.nodes)),
        ]  # fmt: skip
        cells = (f"{one:.4g} / {other:.4g} ({100 * (one / other - 1):+.0f} %)" for one, other in pairs)
        rows.append([run.name, str(measured.nodes), run.sample, *cells])
    return table(["run", "nodes", "sample", "samples per second", "W a node", "J a sample"], rows)


def _ranking(runs: Sequence[tuple[Measured, Run]]) -> str:
    def order(joules: Sequence[float]) -> list[int]:
        return sorted(range(len(joules)), key=joules.__getitem__)

    predicted = order([run.joules(measured.nodes) for measured, run in runs])
    return "right" if predicted == order([one.run.joules(one.nodes) for one, _ in runs]) else "wrong"


def _medians(found: dict[str, TraceValidation]) -> str:
    head = ["workload", *(f"{name}: {what}" for name in found for what in ("time", "power", "energy"))]
    medians = [one.median_abs_error_percent for one in found.values()]
    names = [name for name in medians[0] if name != "all"] + ["all"]
    return table(head, ([name, *(f"{x:.1f}" for one in medians for x in one[name].values())] for name in names))


def _full(found: dict[str, TraceValidation]) -> str:
    rows = []
    for name, validation in found.items():
        full = max(one.row.limit_w for one in validation.rows)
        kept = (one for one in validation.rows if one.row.limit_w == full)
        rows += [[name, *_cells(one)] for one in sorted(kept, key=_order)]
    return table(["GPU", "workload", "batch", "optimizer", "s per epoch", "W", "kJ per epoch"], rows)


def _order(one: Compared) -> tuple[str, str, int]:
    return one.row.workload, one.row.optimizer, one.row.batch


def _cells(one: Compared) -> list[str]:
    scale = {"time_per_epoch": 1.0, "average_power": 1.0, "energy": 1e-3}
    predicted, measured, error = one.predicted.values, one.row.measured.values, one.error_percent
    compared = (
        f"{predicted[key] * by:.4g} / {measured[key] * by:.4g} ({error[key]:+.0f} %)" for key, by in scale.items()
    )
    return [one.row.workload, str(one.row.batch), one.row.optimizer, *compared]


if __name__ == "__main__":
    write_text(PAGE, page(Path(os.environ["HWSIM_DATA"]) / "gpu_power"))
