"""Parameters, operations and sizes of the paper's networks: section 1a of the facts, exact, and their derivation by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from hwsim.errors import InputError
from hwsim.trace import trace
from models.layers import AdderConv2d, ShiftConv2d
from models.shiftaddnet import KINDS, ShiftAddResNet, layer, resnet20, vgg19_small

CONVOLUTIONS = 270_896  # ResNet-20 with projections and a 1x1 classifier


def weights(model, kind):
    return sum(m.weight.numel() for m in model.modules() if isinstance(m, kind))


def operations(make):
    with FakeTensorMode():
        workload = trace(make().eval(), torch.zeros(1, 3, 32, 32), name="forward")
    counted = {}
    for operator in workload.operators:
        if operator.is_contraction:
            counted[operator.primitive] = counted.get(operator.primitive, 0) + operator.macs
    return counted


def test_resnet20_parameters():
    assert weights(resnet20("conv"), nn.Conv2d) == CONVOLUTIONS
    assert weights(resnet20("shift"), ShiftConv2d) == CONVOLUTIONS
    assert weights(resnet20("adder"), (nn.Conv2d, AdderConv2d)) == CONVOLUTIONS
    network = resnet20("shiftadd")
    assert weights(network, ShiftConv2d) == CONVOLUTIONS
    assert weights(network, AdderConv2d) == 295_424


def test_resnet20_sizes():
    """Weights alone, in MiB: ConvNet and AdderNet 1.033; ShiftAddNet with 5-bit shifts 1.288, and 0.443 in FIX8."""
    shifts = CONVOLUTIONS * 5 / 8
    sizes = [4 * CONVOLUTIONS, 4 * 295_424 + shifts, 295_424 + shifts]
    assert [round(size / 2**20, 3) for size in sizes] == [1.033, 1.288, 0.443]
    assert {m.bits for m in resnet20("shiftadd").modules() if isinstance(m, ShiftConv2d)} == {5}


def test_resnet20_operations():
    stages = [(16, 1024, 6), (32, 256, 6), (64, 64, 6)]  # channels, pixels, 3x3 layers
    adds = sum(9 * width * width * pixels * depth for width, pixels, depth in stages)
    adds += 32 * 32 * 256 + 64 * 64 * 64
    counted = operations(resnet20)
    assert counted == {"shift": 40_813_184, "add": adds}
    assert [round(n / 1e6, 2) for n in counted.values()] == [40.81, 42.99]
    edges = 3 * 16 * 9 * 1024 + 640
    assert operations(lambda: resnet20("adder")) == {"mac": edges, "add": 40_813_184 - edges}


def test_vgg19_small_operations():
    counted = operations(vgg19_small)
    assert [round(n / 1e6, 1) for n in counted.values()] == [398.1, 490.7]
    assert counted["shift"] == 398_136_320  # as models.zoo's network, whose classifier is linear


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_learns(kind):
    torch.manual_seed(0)
    model, x = ShiftAddResNet(kind, blocks=1, widths=(4, 8), inputs=1), torch.randn(4, 1, 8, 8)
    model(x).square().sum().backward()
    assert model(x).shape == (4, 10)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert any(parameter.grad.abs().sum() > 0 for parameter in model.stages.parameters())


def test_quantised_adder_layers():
    model = ShiftAddResNet(blocks=1, widths=(4,), quantise="wageubn", bits=8)
    assert {type(m.quantise_x).__name__ for m in model.modules() if isinstance(m, AdderConv2d)} == {"Wageubn"}


def test_unknown_kind():
    with pytest.raises(InputError, match=r"^kind: must be one of conv, shift, adder, shiftadd, shiftadd_frozen, not 'x'$"):
        layer("x", 1, 1, 1)
