"""The tracer sees shift, add and binary-add primitives with their formats, forward and backward."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

import hwsim
from hwsim.trace import trace
from models.layers import AdderConv2d, BinaryLinear, QuantisedConv2d, ShiftAddConv2d, ShiftConv2d


def contractions(workload):
    return [operator for operator in workload.operators if operator.is_contraction]


def test_a_step_of_a_shift_and_an_adder_layer():
    model = nn.Sequential(ShiftConv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), AdderConv2d(8, 8, 3, padding=1))
    step = trace(model, torch.zeros(2, 3, 8, 8, requires_grad=True), loss=lambda y: y.sum(), name="step")
    found = [(o.module, o.primitive, o.phase, o.operand("weight").format, o.macs) for o in contractions(step)]
    shifted, added = 2 * 8 * 3 * 9 * 16, 2 * 8 * 8 * 9 * 16
    assert found[:2] + sorted(found[2:]) == [
        ("0", "shift", "forward", "pow2z_5", shifted),
        ("2", "add", "forward", "fp32", added),
        ("0", "mac", "grad_weight", "fp32", shifted),
        ("0", "shift", "grad_input", "pow2z_5", shifted),
        ("2", "mac", "grad_input", "fp32", added),
        ("2", "mac", "grad_weight", "fp32", added),
    ]
    assert contractions(step)[0].operand("input").format == "int32"


def test_other_products_say_their_primitive_and_formats():
    model = nn.Sequential(QuantisedConv2d(3, 4, 3, bits=6), nn.Flatten(), BinaryLinear(16, 5))
    first, second = contractions(trace(model, torch.zeros(1, 3, 4, 4), name="forward"))
    assert (first.primitive, first.operand("input").format, first.operand("weight").format) == ("mac", "int6", "int6")
    assert (second.primitive, second.operand("weight").format, second.macs) == ("binary_add", "bin01", 80)


def test_traced_without_data():
    with FakeTensorMode():
        model, x = ShiftAddConv2d(3, 8, 3, padding=1), torch.zeros(1, 3, 8, 8)
        found = contractions(trace(model, x, name="fake", loss=lambda y: y.sum()))
    assert [o.primitive for o in found][:2] == ["shift", "add"]


@pytest.mark.parametrize("architecture", ["eyeriss-45nm", "eyeriss-45nm-shiftadd"])
def test_traced_layers_are_scored(architecture):
    model = ShiftAddConv2d(3, 16, 3, padding=1)
    result = hwsim.score(trace(model, torch.zeros(1, 3, 16, 16), name="forward"), on=architecture)
    assert result.energy_j > 0
