"""Scales, multipliers and weights: the integer network is close to the real one, and no sum can wrap."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import nn
from torch.nn import functional as F

from flows.compile import compile_network, reference
from flows.compile.integer import Sum
from flows.compile.operators import Affine, Clip, Convolution, Geometry, Graph
from flows.compile.quantise import quantise
from flows.compile.stages import fuse
from hwsim.errors import InputError
from models.layers import AdderConv2d, BinaryLinear, QuantisedConv2d, ShiftAddConv2d, ShiftConv2d
from rtl.accelerator import Accelerator
from rtl.pe import find
from rtl.pe.adder import AdderPE
from rtl.pe.binary import BinaryAddPE
from rtl.pe.integer import IntegerMac
from rtl.pe.shift import ShiftPE
from tests.flows.compile.layers import cases


def accelerator(pe, **fields):
    return Accelerator(rows=4, columns=4, pe=find(pe) if isinstance(pe, str) else pe, **fields)


def trained(*layers):
    """A network whose batch norms have statistics of images, in evaluation mode."""
    torch.manual_seed(0)
    network, images = nn.Sequential(*layers), torch.rand(32, 3, 8, 8) - 0.3
    for layer in network:
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
            nn.init.normal_(layer.weight)
            nn.init.normal_(layer.bias)
    network(images)
    return network.eval(), images


CASES = {
    "mac": ("int8_mac", lambda: [nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 6, 3, 2, groups=2)]),
    "shift": ("shift16x5", lambda: [ShiftConv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), ShiftConv2d(8, 6, 3)]),
    "shiftadd": ("shiftadd8z", lambda: [ShiftAddConv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), ShiftConv2d(8, 6, 3)]),
    "adder": (AdderPE(), lambda: [AdderConv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), AdderConv2d(8, 6, 1)]),
    "pools": ("int8_mac", lambda: [nn.MaxPool2d(2), nn.AvgPool2d(3, 1, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1)]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_integers_are_close_to_real_numbers(name):
    pe, layers = CASES[name]
    torch.manual_seed(0)
    network, images = trained(*layers())
    if pe == "shift16x5":
        pe = ShiftPE(zero=True, w_bits=5, accumulator=40)
    compiled = compile_network(network, images, accelerator(pe))
    with torch.no_grad():
        expected = network(images).double()
    got = compiled.scores(compiled.reference(images)).reshape(expected.shape)
    noise = ((got - expected) ** 2).mean() / expected.var()
    assert noise < 4e-3


def test_a_network_on_a_grid_is_exact():
    """Weights and inputs that are integers times powers of two: nothing is lost, so the integers are the numbers."""
    torch.manual_seed(0)
    layer = QuantisedConv2d(3, 4, 3, bits=8, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.randint(-127, 128, layer.weight.shape) / 128)
        layer.weight[:, 0, 0, 0] = 127 / 128  # so that the scale is that of the grid
    images = torch.randint(-127, 128, (4, 3, 5, 5)) / 128
    wide = accelerator(IntegerMac(x_bits=16, w_bits=8, accumulator=40), activations="int16")
    compiled = compile_network(layer, images, wide)
    assert compiled.graph.scales[compiled.graph.input] == 1 / 128
    sums = F.conv2d(images.double() * 128, layer.weight.double() * 128)
    exact = (sums / 128**2 / compiled.graph.scales[compiled.graph.output]).round()
    assert (compiled.reference(images) - exact).abs().max() <= 1  # the multiplier has 15 bits


@settings(max_examples=20, deadline=None)
@given(cases())
def test_no_sum_wraps(case):
    integers, one, images = case
    low, high = integers.limits
    most = (1 << one.sum_bits - 1) - 1
    for layer in integers.layers:
        if isinstance(layer.main, Sum):
            weight = np.abs(layer.main.weight.astype(object))
            if layer.main.mode.term == "adder":
                reached = (weight + max(-low, high)).reshape(len(weight), -1).sum(1).max()
            else:
                reached = (weight * max(-low, high)).reshape(len(weight), -1).sum(1).max() >> layer.main.mode.dropped
            assert reached <= most
        assert np.abs(layer.multiplier).max() < 1 << 15
        assert np.abs(layer.bias).max() <= most
        assert abs(layer.residual_multiplier) < 1 << 15
    outputs = reference.run(integers, torch.from_numpy(images))
    assert all(low <= int(t.min()) and int(t.max()) <= high for t in outputs.values())


def one_layer(scale, offset, weight=1.0):
    """A convolution of one weight with a scale and an offset per channel."""
    filters = len(scale)
    main = Convolution("conv", "x", "sum", "mac", np.full((filters, 1, 1, 1), weight), Geometry())
    graph = Graph(
        "x", "y", {"x": (1, 1, 1), "sum": (filters, 1, 1), "y": (filters, 1, 1)},
        (main, Affine("norm", "sum", "y", np.array(scale), np.array(offset))), {},
    )  # fmt: skip
    return quantise(graph, fuse(graph), {"x": (-1.0, 1.0), "y": (-1.0, 1.0)}, accelerator("int8_mac"))


def test_offsets_survive_scales_of_every_size():
    """Also a batch norm that switched a channel off keeps its offset."""
    scale, offset = [1.0, 1e-3, -1e-6, 0.0, -0.5], [0.5, -0.5, 0.25, 0.75, 0.0]
    integers = one_layer(scale, offset)
    for image in (-127, 0, 127):
        out = reference.run(integers, torch.full((1, 1, 1, 1), image))["y"].flatten().double() / 127
        expected = torch.tensor(scale) * image / 127 + torch.tensor(offset)
        assert (out - expected.clamp(-128 / 127, 1)).abs().max() < 1.01 / 127


def test_weights_of_zero_are_no_error():
    assert one_layer([1.0], [0.5], weight=0.0).layers[0].main.weight.max() == 0


@pytest.mark.parametrize("percentile", [100.0, 99.0])
def test_percentile_leaves_outliers_out(percentile):
    images = torch.rand(8, 1, 10, 10)
    images[0, 0, 0, 0] = 100.0
    compiled = compile_network(nn.Conv2d(1, 1, 1), images, accelerator("int8_mac"), percentile=percentile)
    assert compiled.graph.scales[compiled.graph.input] == pytest.approx((100 if percentile == 100 else 1) / 127, rel=0.02)


def test_fewer_bits_use_the_fusible_element():
    network = nn.Sequential(QuantisedConv2d(8, 8, 1, bits=4), QuantisedConv2d(8, 8, 1, bits=2), nn.Conv2d(8, 8, 1))
    compiled = compile_network(network, torch.rand(2, 8, 4, 4), accelerator("fusible8", word_lanes=8))
    modes = [layer.main.mode for layer in compiled.graph.layers]
    assert [(mode.bits, mode.elements) for mode in modes] == [(4, 2), (2, 4), (8, 1)]
    assert [part.beats for part in compiled.bundle.layout.layers] == [4 * 2 * 4, 4 * 2 * 2, 4 * 2 * 8]


def graph_of(layer, low=-1.0, filters=1):
    operator = Convolution("conv", "x", "sum", *layer)
    shapes = {"x": (1, 1, 1), "sum": (filters, 1, 1), "y": (filters, 1, 1)}
    return Graph("x", "y", shapes, (operator, Clip("relu", "sum", "y", 0.0)), {}), {"x": (low, 1.0), "y": (0.0, 1.0)}


ONE = np.ones((1, 1, 1, 1))


@pytest.mark.parametrize(
    ("layer", "pe", "fields", "message"),
    [
        (("adder", ONE), "int8_mac", {}, "conv: must be summed by the PE, which sums mac, not 'adder'"),
        (("mac", ONE), ShiftPE(), {}, "conv: must be summed by the PE, which sums shift, not 'mac'"),
        (("shift", 0 * ONE), ShiftPE(), {}, "conv: must be summed by the PE, which sums shift, but has no code for some of the layer's weights, not 'shift'"),
        (("binary", -ONE), BinaryAddPE(), {}, "conv: must be summed by the PE, which sums binary, but has no code for some of the layer's weights, not 'binary'"),
        (("mac", ONE), IntegerMac(x_signed=False), {"activations": "uint8"}, "x: must not be negative with uint8 activations, not -1.0"),
        (("mac", ONE), find("ternary8"), {}, "pe: must be a PE that sums terms of a network's layers, not 'ternary_add'"),
    ],
)  # fmt: skip
def test_errors(layer, pe, fields, message):
    graph, ranges = graph_of(layer)
    with pytest.raises(InputError) as error:
        quantise(graph, fuse(graph), ranges, accelerator(pe, **fields))
    assert str(error.value) == message


def test_more_terms_than_an_accumulator_holds():
    main = Convolution("conv", "x", "y", "mac", np.ones((1, 3000, 1, 1)))
    graph = Graph("x", "y", {"x": (3000, 1, 1), "y": (1, 1, 1)}, (main,), {})
    with pytest.raises(InputError, match=r"^conv: must sum at most 2047 terms without wrapping, not 3000$"):
        quantise(graph, fuse(graph), {"x": (0.0, 1.0), "y": (0.0, 1.0)}, accelerator(IntegerMac(accumulator=18)))


def test_binary_layers_on_three_elements():
    torch.manual_seed(0)
    network, x = BinaryLinear(6, 4), torch.rand(4, 6)
    for pe in (BinaryAddPE(), ShiftPE(zero=True), IntegerMac()):
        compiled = compile_network(network, x, accelerator(pe))
        got = compiled.scores(compiled.run(x)).flatten(1)
        torch.testing.assert_close(got.float(), network(x).detach(), atol=0.05, rtol=0)


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1)

    def forward(self, x):
        return self.conv(self.conv(x))


def test_a_layer_that_is_used_twice_has_two_names():
    compiled = compile_network(Twice(), torch.rand(2, 2, 3, 3), accelerator("int8_mac"))
    assert [(part.name, part.commands) for part in compiled.bundle.layout.layers] == [("conv", 3), ("conv#2", 3)]
