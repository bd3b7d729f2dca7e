"""What the layers tell a recording is what a trace of them shows, and follows them when they change."""

import copy

import pytest
import torch
from torch import nn

import hwsim
from hwsim.training.variants import variants
from models.layers import (
    AdderConv2d,
    BinaryLinear,
    QuantisedConv2d,
    QuantisedLinear,
    ShiftAddConv2d,
    ShiftConv2d,
    ShiftLinear,
)

IMAGES, ROWS = (2, 3, 8, 8), (2, 8)
LAYERS = {
    "shift": (lambda: ShiftConv2d(3, 4, 3, bits=4), IMAGES),
    "shift, real": (lambda: ShiftConv2d(3, 4, 3, parametrisation="q"), IMAGES),
    "shift, frozen": (lambda: ShiftConv2d(3, 4, 3, parametrisation="frozen", pruned=0.75), IMAGES),
    "shift, linear": (lambda: ShiftLinear(8, 4), ROWS),
    "adder": (lambda: AdderConv2d(3, 4, 3), IMAGES),
    "adder, quantised": (lambda: AdderConv2d(3, 4, 3, quantise="wageubn", bits=7), IMAGES),
    "binary": (lambda: BinaryLinear(8, 4), ROWS),
    "signs": (lambda: BinaryLinear(8, 4, "bin"), ROWS),
    "quantised": (lambda: QuantisedConv2d(3, 4, 3, bits=6), IMAGES),
    "quantised, linear": (lambda: QuantisedLinear(8, 4, quantise="sbm", bits=5), ROWS),
    "shift and add": (lambda: ShiftAddConv2d(3, 4, 3), IMAGES),
}


def forms(layer, size, directory, change=lambda layer: None):
    """Products of two recorded steps: as traced, with the forms in which they are priced, in order of the steps."""
    net, x = nn.Sequential(copy.deepcopy(layer), nn.Flatten()), torch.randn(size)
    head = nn.Linear(net(x).shape[1], 2)
    net.append(head)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    with hwsim.record(directory, net, optimizer, sample_every=0):
        for step in range(2):
            if step:
                change(net[0])
            optimizer.zero_grad()
            net(x).sum().backward()
            optimizer.step()
    found = variants(hwsim.TrainingRun.load(directory))
    return [(one.operator, [form for _, form in one.forms]) for one in found if one.operator.module.startswith("0")]


@pytest.mark.parametrize("name", LAYERS)
def test_reports_are_what_a_trace_shows(name, tmp_path):
    make, size = LAYERS[name]
    torch.manual_seed(0)
    found = forms(make(), size, tmp_path)
    assert any(operator.is_contraction for operator, _ in found)
    for operator, ((form),) in found:
        assert [operand.format for operand in form.operands] == [operand.format for operand in operator.operands]


def test_zeros_of_frozen_shifts_are_told(tmp_path):
    torch.manual_seed(0)
    layer = ShiftConv2d(3, 4, 3, parametrisation="frozen", pruned=0.75)
    share = float((layer.weight != 0).float().mean())
    assert 0 < share <= 0.25
    (_, (form,)), = [pair for pair in forms(layer, IMAGES, tmp_path) if pair[0].is_contraction]
    assert form.operand("weight").density == pytest.approx(share)


@pytest.mark.parametrize(
    "make", [lambda: QuantisedConv2d(3, 4, 3, bits=8), lambda: AdderConv2d(3, 4, 3, quantise="wageubn", bits=8)]
)
def test_bits_that_change_while_it_trains_are_told(make, tmp_path):
    def narrow(layer):
        layer.quantise_x.bits, layer.quantise_weight.bits = 4, 3

    forward = [
        (operator, made) for operator, made in forms(make(), IMAGES, tmp_path, narrow)
        if operator.is_contraction and operator.phase == "forward"
    ]  # fmt: skip
    ((_, made),) = forward
    assert [[form.operand(name).format for name in ("input", "weight", "output")] for form in made] == [
        ["int8", "int8", "fp32"], ["int4", "int3", "fp32"],
    ]  # fmt: skip


def test_adder_layers_in_full_precision_tell_nothing():
    assert AdderConv2d(3, 4, 3).hwsim_facts() == {}
