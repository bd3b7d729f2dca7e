"""Steps and products measured on an H200 and an H100 (`benchmarks/measure_steps.py`) beside what hwsim predicts."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

import hwsim
from benchmarks.measure_steps import Precision
from hwsim import formats
from hwsim.architecture import Gpu
from hwsim.files import Frozen, read_model
from hwsim.gpu.behaviour import Behaviour
from hwsim.gpu.board import board_of
from hwsim.gpu.device import device_cost
from hwsim.gpu.host import joined_s, step_host_s
from hwsim.gpu.kernels import Kernel, Kernels, kernel_of, laid_out
from hwsim.gpu.measured import Measurements, Timed, Timing
from hwsim.gpu.technology import technology_of_gpu
from hwsim.workload import Workload
from hwsim.workload.fused import fuse
from models.zoo import ZOO

DEVICES = ("h200", "h100-sxm")
_SGD = frozenset({"resnet50", "mobilenet_v2"})


class Row(Timed):
    """A measured step of a network, or its forward pass."""

    network: str
    batch: int
    precision: Precision
    channels_last: bool
    compiled: bool
    training: bool
    status: Literal["ok"]

    @property
    def title(self) -> str:
        """What it is, in words."""
        flags = {"channels last": self.channels_last, "compiled": self.compiled, "forward": not self.training}
        names = (flag for flag, is_set in flags.items() if is_set)
        return ", ".join([f"{self.network}, {self.batch}", self.precision, *names])


class Steps(Frozen):
    """All rows of a device, with their provenance."""

    device: str
    device_name: str
    date: str
    versions: dict[str, str]
    conditions: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Predicted:
    """Time and energy of a row."""

    time_s: float
    energy_j: float


def steps(device: str) -> Steps:
    """Return what was measured on a device."""
    return read_model(Path(__file__).with_name(f"steps-{device}.json"), Steps)


def predict(row: Row, gpu: Gpu, fitted: Behaviour) -> Predicted:
    """Return what a row takes on ``gpu``, as `hwsim.score` computes it."""
    software = {
        "tf32_products": row.precision == "tf32", "channels_last": row.channels_last, "padded_rows": row.compiled,
    }  # fmt: skip
    gpu = gpu.model_copy(update=software)
    board = board_of(gpu, technology_of_gpu(gpu, fitted.energy))
    kernels = _kernels(row)
    cost = device_cost(kernels, board, fitted.device)
    host_s = gpu.host.slowness * step_host_s(fitted.host, kernels)
    time_s = joined_s(float(cost.time_s @ kernels.count), host_s)
    return Predicted(time_s, board.idle_w * time_s + float(cost.dynamic_pj @ kernels.count) * 1e-12)


def predict_product(timing: Timing, gpu: Gpu, fitted: Behaviour) -> Predicted:
    """Return what a product of a library takes on ``gpu`` in a graph, without its host."""
    kernel = product_kernel(timing)
    board = board_of(
        gpu.model_copy(update={"tf32_products": "tf32" in timing.formats}), technology_of_gpu(gpu, fitted.energy)
    )
    cost = device_cost(Kernels.of([(kernel, 1.0)]), board, fitted.device)
    time_s = float(cost.time_s[0])
    return Predicted(time_s, board.idle_w * time_s + float(cost.dynamic_pj[0]) * 1e-12)


@lru_cache(maxsize=256)
def _kernels(row: Row) -> Kernels:
    work = fuse(workload(row), across_modules=True) if row.compiled else workload(row)
    return Kernels.of(
        (laid_out(kernel_of(one), channels_last=row.channels_last, padded_rows=row.compiled), float(one.count))
        for one in work.operators
    )


def product_kernel(timing: Timing) -> Kernel:
    """Return the kernel of a product; the sums of integers are kept in 32 bits, those of FP8 in 16."""
    format_, m, k, n = timing.formats[0].replace("tf32", "fp32"), timing.m, timing.k, timing.n
    factor = formats.parse(format_).bits // 8
    result = 4 if format_ == "int8" else max(2, factor)
    return Kernel("forward", format_, m, k, n, 1, 2.0 * m * k * n, factor * (m * k + k * n) + result * m * n)


def workload(row: Row) -> Workload:
    """Trace the step of a row as `benchmarks.measure_steps` runs it."""
    entry = ZOO[row.network]
    kind = torch.bfloat16 if row.precision == "bf16" else torch.float32
    torch.set_default_dtype(kind)
    try:
        model = entry.make().train(row.training)
    finally:
        torch.set_default_dtype(torch.float32)
    shape = (row.batch, *entry.input_shape)
    inputs = torch.zeros(shape, dtype=torch.int64 if entry.tokens else kind)
    if not row.training:
        return hwsim.trace(model, inputs, samples=row.batch)
    targets = torch.zeros(shape if entry.tokens else (row.batch,), dtype=torch.int64)

    def loss(scores: Tensor) -> Tensor:
        return functional.cross_entropy(scores.flatten(0, -2), targets.flatten())

    optimizer: torch.optim.Optimizer = (
        torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
        if row.network in _SGD
        else torch.optim.AdamW(model.parameters(), 1e-5, fused=True)
    )
    with torch.autocast("cpu", torch.bfloat16) if row.precision == "autocast-bf16" else nullcontext():
        return hwsim.trace(model, inputs, loss=loss, optimizer=optimizer, samples=row.batch)


def measurements(name: str) -> Measurements:
    """Return a file of the package's database of measured kernels."""
    return read_model(Path(str(files("hwsim.gpu") / "measurements" / f"{name}.json")), Measurements)
