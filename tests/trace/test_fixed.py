"""Weights that are made from parameters before they are used stay weights, and their gradients gradients of weights."""

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

import hwsim


class Made(nn.Module):
    """A linear layer whose weight is made by ``make`` from its parameters and the input."""

    def __init__(self, make):
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.weight, self.low = nn.Parameter(torch.randn(5, 8)), nn.Parameter(torch.randn(8, 5))
        self.register_buffer("mask", torch.ones(5, 8))
        self.make = make

    def forward(self, x):
        return nn.functional.linear(self.first(x), self.make(self, x))


ALONE = {
    "mask": lambda m, x: m.weight * m.mask,
    "a scale computed from a buffer": lambda m, x: m.weight / m.mask.sum().sqrt(),
    "a number": lambda m, x: m.weight * torch.tensor(0.5),
    "signs": lambda m, x: torch.where(m.weight.abs() > 1, m.weight, 0.0),
    "two parameters": lambda m, x: m.weight * m.low.t(),
    "two masks": lambda m, x: -(m.weight * m.mask).masked_fill(m.mask == 0, 0.0),
}
WITH_DATA = {
    "gate": lambda m, x: m.weight * x.mean(),
    "noise": lambda m, x: m.weight + torch.randn(5, 8),
    "made of the input": lambda m, x: m.weight * x[:1, :1],
}


def products(make):
    """Phase, and role of the weight, of the products of the second layer."""
    step = hwsim.trace(
        Made(make), torch.randn(4, 6), loss=lambda y: y.sum(), optimizer=lambda p: torch.optim.SGD(p, lr=0.1), fake=False
    )
    found = [one for one in step.operators if one.is_contraction and one.module == ""]
    return {one.phase: one.operand("weight").role for one in found}, len(found)


@pytest.mark.parametrize("name", ALONE)
def test_computed_from_weights_alone(name):
    assert products(ALONE[name]) == ({"forward": "parameter", "grad_input": "parameter", "grad_weight": "gradient"}, 3)


@pytest.mark.parametrize("name", WITH_DATA)
def test_computed_from_data_too(name):
    roles, _ = products(WITH_DATA[name])
    assert roles["forward"] == "activation"


def test_a_frozen_weight_is_state():
    roles, count = products(lambda m, x: m.mask * 2)
    assert (roles, count) == ({"forward": "state", "grad_input": "state"}, 2)


def test_noise_through_a_layer_is_no_weight():
    class Generator(nn.Sequential):
        def forward(self, x):
            return super().forward(torch.randn(4, 6)) + x

    step = hwsim.trace(Generator(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)), torch.randn(4, 3), fake=False)
    inputs = [one.operand("input").role for one in step.operators if one.is_contraction]
    assert inputs == ["activation", "activation"]


def test_gradients_of_activations_that_end_in_a_bias_stay_so():
    net = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(name == "0.bias")
    step = hwsim.trace(net, torch.randn(1, 6), loss=lambda y: y.sum(), optimizer=lambda p: torch.optim.SGD(p, lr=0.1))
    assert [(one.phase, one.module) for one in step.operators if one.is_contraction and one.phase != "forward"] == [
        ("grad_input", "2"),
    ]  # fmt: skip


def test_pruned_layers(tmp_path):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=2), nn.Flatten(), nn.Linear(64, 5))
    for layer in (net[0], net[2], net[4]):
        prune.l1_unstructured(layer, "weight", amount=0.5)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with hwsim.record(tmp_path, net, optimizer, sample_every=0):
        net(torch.randn(2, 3, 8, 8)).sum().backward()
        optimizer.step()
    (step, _), = hwsim.TrainingRun.load(tmp_path).executions
    found = [(one.phase, one.module) for one in step.operators if one.is_contraction]
    assert sorted(found) == [
        ("forward", "0"), ("forward", "2"), ("forward", "4"), ("grad_input", "2"), ("grad_input", "4"),
        ("grad_weight", "0"), ("grad_weight", "2"), ("grad_weight", "4"),
    ]  # fmt: skip
