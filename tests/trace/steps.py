"""Steps that the tests of the tracer share: small networks, run for real or with fake tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW, Optimizer

from hwsim.trace import Closure, StepCapture
from hwsim.workload import Workload
from models.zoo.resnet import BasicBlock, ResNet
from models.zoo.transformer import Decoder

Make = Callable[[Iterable[nn.Parameter]], Optimizer]


@dataclass
class Run:
    model: nn.Module
    optimizer: Optimizer
    inputs: tuple[Tensor, ...]
    capture: StepCapture

    @property
    def told(self) -> dict[str, Any]:
        return {"model": self.model, "optimizers": [self.optimizer], "inputs": self.inputs}

    @property
    def closure(self) -> Closure:
        return self.capture.closure(**self.told)

    @property
    def workload(self) -> Workload:
        return self.capture.workload(name="step", **self.told)


def small_resnet() -> nn.Module:
    return ResNet(BasicBlock, (1, 1), classes=10, width=8)


def small_decoder() -> nn.Module:
    return Decoder(vocabulary=20, context=8, width=16, depth=1, heads=2, dropout=0.1)


def images() -> tuple[Tensor, Tensor]:
    return torch.zeros(2, 3, 32, 32), torch.zeros(2, dtype=torch.long)


def sentences() -> tuple[Tensor, Tensor]:
    return torch.zeros(2, 8, dtype=torch.long), torch.zeros(2, 8, dtype=torch.long)


OPTIMIZERS: dict[str, Make] = {
    "sgd": lambda p: SGD(p, lr=0.1),
    "sgd-momentum": lambda p: SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-4, foreach=False),
    "sgd-momentum-foreach": lambda p: SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-4, foreach=True),
    "sgd-momentum-fused": lambda p: SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-4, fused=True),
    "adam": lambda p: Adam(p, foreach=False),
    "adamw": lambda p: AdamW(p, foreach=False),
    "adamw-foreach": lambda p: AdamW(p, foreach=True),
    "adamw-fused": lambda p: AdamW(p, fused=True),
}


def run(
    make: Callable[[], nn.Module], data: Callable[[], tuple[Tensor, Tensor]], optimizer: Make, *, fake: bool
) -> Run:
    """Capture the second of two training steps."""
    torch.manual_seed(0)
    with FakeTensorMode() if fake else nullcontext():
        model, inputs = make(), data()
        update = optimizer(model.parameters())

        def step() -> None:
            update.zero_grad()
            scores = model(inputs[0])
            F.cross_entropy(scores.flatten(0, -2), inputs[1].flatten()).backward()
            update.step()

        step()
        with StepCapture() as capture:
            step()
    return Run(model, update, inputs, capture)
