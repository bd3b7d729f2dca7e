"""What every architecture must price: an inference and two training steps, traced at the size that a test can afford."""

from __future__ import annotations

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F

from hwsim import Workload
from hwsim.trace import trace
from models.zoo import ZOO
from models.zoo.mobilenet import InvertedResidual


def resnet18_inference(size: int) -> Workload:
    """One image of ``size`` x ``size``."""
    with FakeTensorMode():
        network = ZOO["resnet18"].make().eval()
    return trace(network, torch.zeros(1, 3, size, size))


def mobilenet_v2_step(size: int) -> Workload:
    """Forward, backward and SGD on two images of ``size`` x ``size``."""
    with FakeTensorMode():
        network = ZOO["mobilenet_v2"].make()
    return _step(network, torch.zeros(2, 3, size, size), torch.zeros(2, dtype=torch.long))


def inverted_residuals_step() -> Workload:
    """As `mobilenet_v2_step` on 8 x 8 pixels, with one block of each kind and few channels."""
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), InvertedResidual(8, 8, 1, 1), InvertedResidual(8, 8, 2, 6),
        InvertedResidual(8, 8, 1, 6), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10),
    )  # fmt: skip
    return _step(network, torch.zeros(2, 3, 8, 8), torch.zeros(2, dtype=torch.long))


def decoder_step(name: str) -> Workload:
    """Forward, backward and SGD of a decoder of the zoo on one sequence."""
    with FakeTensorMode():
        network = ZOO[name].make()
    tokens = ZOO[name].inputs(1)
    return _step(network, tokens, tokens)


def _step(network: nn.Module, inputs: torch.Tensor, target: torch.Tensor) -> Workload:
    return trace(
        network, inputs, optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.1),
        loss=lambda scores: F.cross_entropy(scores.flatten(0, -2), target.flatten()),
    )  # fmt: skip
