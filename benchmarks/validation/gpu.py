"""Write docs/gpu.md: predictions beside the power traces of Zeus.

    HWSIM_DATA=FOLDER python -m benchmarks.validation.gpu
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from hwsim.architecture import Gpu, architectures, load_architecture
from hwsim.cost.priced import technology_of
from hwsim.files import write_text
from hwsim.gpu.behaviour import behaviour
from hwsim.gpu.device import SPLITS, TILES
from hwsim.validation.power_trace import Compared, Epoch, TraceRow, TraceValidation, predicted_epoch, validate_trace
from hwsim.validation.training_steps import training_workloads

TEMPLATE = Path(__file__).with_suffix(".md")
PAGE = Path(__file__).parents[2] / "docs" / "gpu.md"
FITTED = ("v100", "p100")
MLPERF_BATCH, MLPERF_EPOCHS, MLPERF_MINUTES, MLPERF_GPUS = 400, 35, 13.36, 8
"""Of each GPU; SMC, MLPerf Training 4.0, results in mlcommons/training_results_v4.0 (Apache-2.0)."""


def page(folder: Path) -> str:
    """Return the whole page for the traces in ``folder``."""
    found = {name: validate_trace(folder / f"zeus_nsdi23_{name}.csv", name) for name in FITTED}
    fitted = behaviour()
    parameters = sum(len(part.model_dump()) for part in (fitted.device, fitted.host, fitted.energy))
    gpus = (name for name in architectures() if isinstance(load_architecture(name)[0], Gpu))
    images = training_workloads()["imagenet", "resnet50"].samples
    measured = images * MLPERF_EPOCHS / (MLPERF_MINUTES * 60) / MLPERF_GPUS
    predicted = images / _half_precision("h100-sxm").time_s
    return TEMPLATE.read_text().format(
        presets=", ".join(f"`{name}`" for name in gpus), tiles=len(TILES), splits=len(SPLITS), parameters=parameters,
        rows=sum(len(one.rows) for one in found.values()), medians=_medians(found), full=_full(found),
        unmeasured=_words(_unmeasured(folder)), mlperf_measured=measured, mlperf=predicted,
        mlperf_error=100 * (predicted / measured - 1),
    )  # fmt: skip


def _half_precision(name: str) -> Epoch:
    """An epoch of ResNet-50 in half precision."""
    gpu, folder = load_architecture(name)
    assert isinstance(gpu, Gpu)
    workload = training_workloads()["imagenet", "resnet50"].model_copy(update={"autocast": "fp16"})
    row = TraceRow("imagenet", "resnet50", MLPERF_BATCH, "adadelta", gpu.board_w, Epoch(1, 1))
    return predicted_epoch(row, workload, gpu, technology_of(gpu, folder), behaviour())


def _unmeasured(folder: Path) -> TraceValidation:
    """The P100 as if nobody had measured the energy of its operations."""
    gpu, _ = load_architecture("p100")
    plain = gpu.model_dump(by_alias=True, mode="json") | {"scalar_share": None}
    with TemporaryDirectory() as scratch:
        described = write_text(Path(scratch) / "p100.yaml", json.dumps(plain))
        return validate_trace(folder / "zeus_nsdi23_p100.csv", str(described))


def _words(validation: TraceValidation) -> str:
    time, power, energy = validation.median_abs_error_percent["all"].values()
    return f"{time:.1f} % in time, {power:.1f} % in power, {energy:.1f} % in energy"


def _medians(found: dict[str, TraceValidation]) -> str:
    head = ["workload", *(f"{name}: {what}" for name in found for what in ("time", "power", "energy"))]
    medians = [one.median_abs_error_percent for one in found.values()]
    names = [name for name in medians[0] if name != "all"] + ["all"]
    return _table(head, ([name, *(f"{x:.1f}" for one in medians for x in one[name].values())] for name in names))


def _full(found: dict[str, TraceValidation]) -> str:
    rows = []
    for name, validation in found.items():
        full = max(one.row.limit_w for one in validation.rows)
        kept = (one for one in validation.rows if one.row.limit_w == full)
        rows += [[name, *_cells(one)] for one in sorted(kept, key=_order)]
    return _table(["GPU", "workload", "batch", "optimizer", "s per epoch", "W", "kJ per epoch"], rows)


def _order(one: Compared) -> tuple[str, str, int]:
    return one.row.workload, one.row.optimizer, one.row.batch


def _cells(one: Compared) -> list[str]:
    scale = {"time_per_epoch": 1.0, "average_power": 1.0, "energy": 1e-3}
    predicted, measured, error = one.predicted.values, one.row.measured.values, one.error_percent
    compared = (
        f"{predicted[key] * by:.4g} / {measured[key] * by:.4g} ({error[key]:+.0f} %)" for key, by in scale.items()
    )
    return [one.row.workload, str(one.row.batch), one.row.optimizer, *compared]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    write_text(PAGE, page(Path(os.environ["HWSIM_DATA"]) / "gpu_power"))
