"""Shift layers: values of their weights, gradients by hand, formats, and equality with a convolution."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from hwsim import formats
from hwsim.errors import InputError
from models.layers import ShiftAddConv2d, ShiftConv2d, ShiftLinear, convert_to_shiftadd


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["ps", "q", "frozen"]), st.integers(2, 6))
def test_weights_are_values_of_their_format(parametrisation, bits):
    torch.manual_seed(bits)
    layer = ShiftConv2d(4, 8, 3, bits=bits, parametrisation=parametrisation)
    weight = layer.weight.detach().double().numpy()
    assert np.array_equal(formats.decode(formats.encode(weight, f"pow2z_{bits}"), f"pow2z_{bits}"), weight)
    assert (weight != 0).any() or (bits < 4 and parametrisation == "q")  # whose real weights are small


def on_grid(*shape):
    """Random numbers that rounding to 16.16 leaves as they are."""
    return (torch.randn(*shape) * 65536).round() / 65536


def test_layer_is_a_convolution_of_fixed_point_numbers():
    torch.manual_seed(0)
    layer, x = ShiftConv2d(4, 6, 3, 2, 1, groups=2, bias=True), torch.randn(2, 4, 7, 7)
    layer.bias.data.normal_()
    rounded = (x * 65536).round() / 65536
    assert not torch.equal(x, rounded)
    torch.testing.assert_close(layer(x), F.conv2d(rounded, layer.weight, layer.bias, 2, 1, 1, 2))
    linear, rows = ShiftLinear(5, 3), torch.randn(2, 4, 5)
    torch.testing.assert_close(linear(rows), F.linear((rows * 65536).round() / 65536, linear.weight.flatten(1), linear.bias))


def test_gradients_of_shift_and_sign():
    """dw/dp = w ln 2, dw/ds = 2**p with rounding passed through; those of x and w are the convolution's."""
    torch.manual_seed(0)
    layer, x = ShiftConv2d(3, 4, 3, padding=1), on_grid(2, 3, 5, 5).requires_grad_()
    w = layer.weight.detach().requires_grad_()
    gradient = torch.randn(2, 4, 5, 5)
    to_x, to_w = torch.autograd.grad(F.conv2d(x, w, None, 1, 1), (x, w), gradient)
    layer(x).backward(gradient)
    torch.testing.assert_close(x.grad, to_x)
    torch.testing.assert_close(layer.shift.grad, to_w * w * math.log(2))
    torch.testing.assert_close(layer.sign.grad, to_w * torch.exp2(layer.shift.detach().round()))


def test_gradient_of_the_real_weight_passes_rounding():
    torch.manual_seed(0)
    layer, x = ShiftConv2d(3, 4, 3, parametrisation="q"), on_grid(2, 3, 5, 5)
    w = layer.weight.detach().requires_grad_()
    gradient = torch.randn(2, 4, 3, 3)
    layer(x).backward(gradient)
    torch.testing.assert_close(layer.real.grad, torch.autograd.grad(F.conv2d(x, w), w, gradient)[0])


@pytest.mark.parametrize(
    ("value", "expected"), [(0.7, 0.5), (0.72, 1.0), (-3.0, -1.0), (2.0**-15, 0.0), (2.0**-14.4, 2.0**-14), (0.0, 0.0)]
)
def test_q_rounds_the_logarithm(value, expected):
    layer = ShiftConv2d(1, 1, 1, parametrisation="q")
    layer.real.data.fill_(value)
    assert layer.weight.item() == expected


def test_frozen_weights_do_not_learn_and_follow_their_distributions():
    torch.manual_seed(0)
    layer = ShiftConv2d(64, 64, 5, parametrisation="frozen")
    assert not list(layer.parameters())
    assert set(layer.shift.unique().tolist()) == set(range(-7, 1))
    assert layer.shift.mean().item() == pytest.approx(-3.5, abs=0.02)
    assert (layer.sign == 0).float().mean().item() == pytest.approx(0.5, abs=0.01)
    pruned = ShiftConv2d(64, 64, 5, parametrisation="frozen", pruned=0.9).weight
    assert (pruned == 0).float().mean().item() == pytest.approx(0.9, abs=1e-4)
    assert pruned[pruned != 0].abs().min() >= 2**-3


@pytest.mark.parametrize("parametrisation", ["ps", "q"])
def test_adopted_weights_are_the_nearest_powers(parametrisation):
    torch.manual_seed(0)
    layer, given = ShiftConv2d(3, 4, 3, parametrisation=parametrisation), torch.randn(4, 3, 3, 3)
    layer.adopt(given)
    wanted = given.sign() * torch.exp2(given.abs().log2().round().clamp(-14, 0))
    torch.testing.assert_close(layer.weight.detach(), wanted)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bits": 9}, "bits: must be 2 to 8, not 9"),
        ({"parametrisation": "r"}, "parametrisation: must be ps, q or frozen, not 'r'"),
        ({"pruned": 0.5}, "pruned: must be at least 0 and below 1, and 0 unless frozen, not 0.5"),
        ({"groups": 2}, r"channels must divide by groups=2, not (3, 4)"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(InputError) as error:
        ShiftConv2d(3, 4, 3, **arguments)
    assert str(error.value) == message


def test_conversion():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1, groups=4, bias=False),
        nn.Conv2d(8, 16, 2, bias=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )  # fmt: skip
    made = convert_to_shiftadd(network)
    assert [type(made[i]).__name__ for i in (0, 3, 4, 7)] == ["ShiftConv2d", "ShiftAddConv2d", "ShiftConv2d", "Linear"]
    assert torch.equal(made[0].bias, network[0].bias)
    assert isinstance(network[0], nn.Conv2d)  # the given one is not touched
    x = torch.randn(2, 3, 8, 8)
    assert made(x).shape == network(x).shape == (2, 10)
    assert isinstance(convert_to_shiftadd(network, shift_only=["4"])[0], ShiftAddConv2d)
    assert isinstance(convert_to_shiftadd(nn.Conv2d(3, 4, 3), shift_only=[]), ShiftAddConv2d)


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        (nn.Linear(2, 2), {}, "module: must hold a Conv2d, not 'Linear'"),
        (nn.Sequential(nn.Conv2d(1, 1, 1)), {"shift_only": ["1"]}, "shift_only: must be one of 0, not '1'"),
        (nn.Sequential(nn.Conv2d(1, 1, 3, padding="same")), {}, "0: must pad with zeros, by numbers, not 'same'"),
        (
            nn.Sequential(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 2)), {"shift_only": ["0"]},
            "kernel_size: must be odd in a shift-add layer, not (2, 2)",
        ),
    ],
)  # fmt: skip
def test_conversion_errors(module, options, message):
    with pytest.raises(InputError) as error:
        convert_to_shiftadd(module, **options)
    assert str(error.value) == message
