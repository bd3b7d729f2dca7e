"""Published throughputs of training on single GPUs (`throughput.csv`) beside what hwsim predicts."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from hwsim.architecture import Gpu, load_architecture
from hwsim.gpu.behaviour import Behaviour
from hwsim.gpu.board import board_of
from hwsim.gpu.device import device_cost
from hwsim.gpu.host import joined_s, step_host_s
from hwsim.gpu.kernels import Kernels
from hwsim.gpu.technology import technology_of_gpu
from hwsim.validation.training_steps import Tokens, training_workloads

TABLE = Path(__file__).with_suffix(".csv")
WORKLOADS = {"bert": ("squad", "bert_base_uncased"), "resnet50": ("imagenet", "resnet50")}


@dataclass(frozen=True)
class Throughput:
    """Samples per second of a network on a GPU."""

    gpu: str
    network: str
    format: Literal["fp32", "fp16"]
    batch: int
    samples_per_s: float
    use: Literal["fit", "check"]
    """Whether the share of the peak that matrix units reach is fitted on it."""

    def predicted(self, fitted: Behaviour) -> float:
        """Samples per second by the model, every sequence padded to 384 tokens."""
        gpu = gpu_called(self.gpu).model_copy(update={"tf32_products": True})  # as NVIDIA's container sets it
        kernels = _kernels(self.network, self.format, self.batch)
        board = board_of(gpu, technology_of_gpu(gpu, fitted.energy))
        device_s = float(device_cost(kernels, board, fitted.device).time_s @ kernels.count)
        return self.batch / joined_s(device_s, gpu.host.slowness * step_host_s(fitted.host, kernels))


def throughputs() -> list[Throughput]:
    """Return the rows of the table."""
    lines = (line for line in TABLE.read_text().splitlines() if not line.startswith("#"))
    return [
        Throughput(
            row["gpu"], row["network"], row["format"], int(row["batch_size"]), float(row["samples_per_s"]), row["use"]
        )  # type: ignore[arg-type]  # literals of this project's table
        for row in csv.DictReader(lines)
    ]  # fmt: skip


@lru_cache
def gpu_called(name: str) -> Gpu:
    """Return a preset of kind ``gpu``."""
    gpu, _ = load_architecture(name)
    assert isinstance(gpu, Gpu)
    return gpu


@lru_cache
def _kernels(network: str, format_: str, batch: int) -> Kernels:
    workload = training_workloads()[WORKLOADS[network]]
    tokens = workload.tokens and Tokens(log_mean=9.0, log_deviation=0.1, longest=384, source="padded to 384")
    autocast = "fp16" if format_ == "fp16" else None
    workload = workload.model_copy(update={"tokens": tokens, "autocast": autocast})
    return workload.kernels(batch, next(iter(workload.steps)))
