"""Training runs of MLPerf Training 4.0 on nodes of eight H100 beside what hwsim predicts; none of them is fitted on.

Measured by SMC: results and 2 s power logs in github.com/mlcommons/training_results_v4.0 (Apache-2.0), integrated over
every node behind its supplies between run_start and run_stop. ResNet-50 is traced, its kernels fused, its gradients
summed over the node. The language models are written down layer by layer, split over the GPUs of a node by columns,
products in FP8, whose operands are cast one by one: their pipelines are taken to be full, and networks between nodes to
be hidden.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor
from torch.nn import functional

import hwsim
from benchmarks.validation.throughput import gpu_called
from hwsim.architecture.node import Node
from hwsim.files import write_text
from hwsim.gpu.behaviour import behaviour
from hwsim.gpu.board import board_of
from hwsim.gpu.collectives import collective_s
from hwsim.gpu.device import device_cost
from hwsim.gpu.kernels import Kernel, Kernels, Part
from hwsim.gpu.technology import technology_of_gpu
from hwsim.workload.data_parallel import data_parallel
from models.zoo.resnet import resnet50

GPU = "h100-sxm-8"
_HALF = 2
"""Bytes of a word of activations."""
_READ_AND_WRITTEN = 2
_PROJECTIONS_KEPT = 6
"""Tensors of a layer's width that its norms, residual sums and dropouts read and write in the forward pass."""


@dataclass(frozen=True)
class Run:
    """A run, per sample: an image, a sequence or a token."""

    name: str
    sample: str
    samples_per_s: float
    """Of all its GPUs."""
    node_w: float

    def joules(self, nodes: int) -> float:
        """Energy of a sample behind the supplies."""
        return self.node_w * nodes / self.samples_per_s


@dataclass(frozen=True)
class Measured:
    """A row of the results, with the nodes that ran it."""

    run: Run
    nodes: int


RESNET = Measured(Run("ResNet-50", "image", 1_281_167 * 35 / (13.36 * 60), 6841), 1)
LORA = Measured(Run("Llama 2 70B, LoRA", "sequence of 8192", 3072 / (28.13 * 60), 6953), 1)
GPT3 = Measured(Run("GPT-3 175B", "token", 1.208e9 / (56.87 * 60), 6742), 64)
NOT_MODELLED = ("SSD-RetinaNet", "DLRM-DCNv2", "3D U-Net")


@dataclass(frozen=True)
class Decoder:
    """A decoder of equal layers."""

    width: int
    hidden: int
    gates: int
    """Products before the non-linearity of the feed-forward network."""
    key_width: int
    """Of keys, and of values."""
    layers: int
    vocabulary: int
    tokens: int
    """Of a sequence; one is in work at a time."""
    split: int
    """GPUs that share a layer."""
    is_trained: bool
    """Whether weights get gradients; adapters of low rank are left out."""
    head: int = 128

    def kernels(self) -> Iterator[tuple[Kernel, float]]:
        """Yield the kernels of one sequence on one GPU, each with its count."""
        columns = self.width + 2 * self.key_width
        weights = [
            (self.width, columns // self.split), (self.width // self.split, self.width),
            (self.width, self.gates * self.hidden // self.split), (self.hidden // self.split, self.width),
        ]  # fmt: skip
        for k, n in weights:
            yield from ((one, self.layers) for one in self._products(k, n))
        yield from ((one, 1) for one in self._products(self.width, self.vocabulary // self.split))
        moved = self.tokens * _HALF * (_PROJECTIONS_KEPT * self.width + (self.gates + 1) * self.hidden / self.split)
        phases: tuple[tuple[Part, int, int], ...] = (("forward", 1, 2), ("backward", 2, 5))
        for part, times, attentions in phases:
            yield Kernel(part, "bf16", 0, 0, 0, 0, moved * times, moved * times), self.layers
            yield self._attention(part), self.layers * attentions

    def _products(self, k: int, n: int) -> Iterator[Kernel]:
        t = self.tokens
        shapes: list[tuple[Part, int, int, int]] = [("forward", t, k, n), ("backward", t, n, k)]
        if self.is_trained:
            shapes.append(("backward", k, t, n))
        for part, rows, depth, columns in shapes:
            moved = rows * depth + depth * columns + _HALF * rows * columns
            yield Kernel(part, "fp8_e4m3", rows, depth, columns, 1, 2.0 * rows * depth * columns, moved)
        # what is multiplied was made in 16 bits: read, and written in 8, transposed too where weights learn from it
        casts: tuple[tuple[Part, int], ...] = (("forward", k), ("backward", n))
        for cast, width in casts:
            yield Kernel(cast, "bf16", 0, 0, 0, 0, 0, float(t * width * (_HALF + 1 + self.is_trained)))

    def _attention(self, part: Part) -> Kernel:
        """One product of half the tokens with all, in every head, whose scores stay on chip."""
        t, heads = self.tokens, self.width // self.head // self.split
        moved = _HALF * t * self.head * heads * 2.0
        return Kernel(part, "bf16", t / 2, self.head, t, heads, float(t) * t * self.head * heads, moved)

    def sent_bytes(self) -> float:
        """Bytes of an activation of a layer, which is gathered and scattered four times forward and backward each."""
        return float(self.tokens * self.width * _HALF)


LLAMA_70B = Decoder(8192, 28672, 2, 1024, 80, 32000, 8192, split=4, is_trained=False)
GPT3_175B = Decoder(12288, 49152, 1, 12288, 96, 51200, 2048, split=4, is_trained=True)


def predicted_resnet() -> Run:
    """Score a traced step of 400 images a GPU in half precision on a node whose software fuses."""
    batch, gpu = 400, gpu_called(GPU)
    node = _node()
    model = resnet50()
    step = hwsim.trace(
        model, torch.zeros(batch, 3, 224, 224), loss=partial(_classes, batch),
        optimizer=torch.optim.SGD(model.parameters(), 0.1, momentum=0.9), samples=batch,
    )  # fmt: skip
    described = gpu.model_dump(by_alias=True, mode="json") | {"channels_last": True, "cuda_graphs": True}
    with TemporaryDirectory() as scratch:
        path = write_text(Path(scratch) / "node.yaml", json.dumps(described))
        on = hwsim.score(data_parallel(step, node.gpus), on=str(path), fuse=True, formats={"fp32": "fp16"})
    return Run("ResNet-50", "image", node.gpus * on.samples / on.latency_s, node.gpus * on.energy_j / on.latency_s)


def predicted_decoder(decoder: Decoder, samples: int, measured: Measured) -> Run:
    """Predict a language model that is split over GPUs of a node; ``samples`` are in a sequence."""
    gpu, node, fitted = gpu_called(GPU), _node(), behaviour(gpu_called(GPU).fit)
    kernels = Kernels.of(decoder.kernels())
    board = board_of(gpu, technology_of_gpu(gpu, fitted.energy))
    cost = device_cost(kernels, board, fitted.device)
    each_s = collective_s("all_gather", decoder.sent_bytes(), decoder.split, node.link)
    collectives = 8 * decoder.layers
    sequence_s = float(cost.time_s @ kernels.count) + collectives * each_s
    sent_pj = collectives * _READ_AND_WRITTEN * decoder.sent_bytes() * (board.pj_per_byte + board.dram_pj_per_byte)
    gpu_w = board.idle_w + (float(cost.dynamic_pj @ kernels.count) + sent_pj) * 1e-12 / sequence_s
    groups = measured.nodes * node.gpus / decoder.split
    return Run(measured.run.name, measured.run.sample, groups * samples / sequence_s, node.direct_w(gpu_w))


def rows() -> list[tuple[Measured, Run]]:
    """Return every row that is modelled, measured and predicted."""
    return [
        (RESNET, predicted_resnet()),
        (LORA, predicted_decoder(LLAMA_70B, 1, LORA)),
        (GPT3, predicted_decoder(GPT3_175B, GPT3_175B.tokens, GPT3)),
    ]


def _node() -> Node:
    node = gpu_called(GPU).node
    assert node is not None
    return node


def _classes(batch: int, scores: Tensor) -> Tensor:
    return functional.cross_entropy(scores, torch.zeros(batch, dtype=torch.int64))
