"""Quantisers and the layers built on them."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from hwsim.errors import InputError
from models.layers import BinaryLinear, QuantisedConv2d, QuantisedLinear, Sbm, Wageubn, fixed_point
from models.layers.rounding import drawn_on_grid, on_grid, rounded_by_extremes


def test_fixed_point_rounds_and_saturates():
    x = torch.tensor([0.1, -1.5, 3e5], requires_grad=True)
    fixed_point(x, bits=8, fraction=2).sum().backward()
    assert fixed_point(x, bits=8, fraction=2).tolist() == [0.0, -1.5, 31.75]
    assert x.grad.tolist() == [1, 1, 1]


def test_grid_of_wageubn():
    x = torch.tensor([-2.0, -0.3, 0.1, 0.9, 5.0])
    assert (on_grid(x, 4) * 8).tolist() == [-7, -2, 1, 7, 7]
    assert (on_grid(x, 4, saturate=False) * 8).tolist() == [-16, -2, 1, 7, 40]
    torch.manual_seed(0)
    drawn = drawn_on_grid(torch.full((20000,), 0.3), 3)
    assert drawn.unique().tolist() == [0.25, 0.5]
    assert drawn.mean().item() == pytest.approx(0.3, abs=0.002)


def test_errors_of_wageubn_are_rounded_on_a_scaled_grid():
    torch.manual_seed(0)
    x, gradient = torch.randn(1000, requires_grad=True), torch.randn(1000) * 0.1
    Wageubn(8)(x).backward(gradient)
    scale = 2.0 ** torch.log2(gradient.abs().max()).round()
    steps = x.grad / scale * 128
    assert torch.equal(steps, steps.round())
    kept = gradient.abs() < scale
    assert (x.grad - gradient)[kept].abs().max() < scale / 128


def test_sbm_follows_the_extremes():
    layer = Sbm(8)
    first, second = torch.linspace(-1, 1, 11), torch.linspace(-2, 3, 11)
    torch.testing.assert_close(layer(first), first, atol=2 / 255, rtol=0)
    layer(second)
    assert layer.low.item() == pytest.approx(-1.1)
    assert layer.high.item() == pytest.approx(1.2)
    layer.eval()
    assert layer(second).max().item() == pytest.approx(1.2)
    assert len(layer(torch.linspace(-9, 9, 5000)).unique()) == 256


def test_errors_of_sbm_are_steps_between_their_extremes():
    torch.manual_seed(0)
    gradient = torch.randn(20000)
    rounded = torch.stack([rounded_by_extremes(gradient, 3) for _ in range(50)])
    low, high = gradient.min(), gradient.max()
    step = (high - low) / 7
    assert len(rounded.unique()) == 8
    torch.testing.assert_close(rounded.aminmax(), torch.return_types.aminmax((low, high)))
    assert (rounded - gradient).abs().max() < step
    assert abs((rounded - gradient).mean()) < 1e-3  # by chance, right on average
    x = torch.randn(20000, requires_grad=True)
    Sbm(8, error_bits=3)(x).backward(gradient)
    assert len(x.grad.unique()) == 8
    Sbm(8)(x := x.detach().requires_grad_()).backward(gradient)
    assert torch.equal(x.grad, gradient)


def test_binary_weights():
    torch.manual_seed(0)
    x, gradient = torch.randn(2, 3, 5), torch.randn(2, 3, 4)
    for weights, values in (("bin01", {0.0, 1.0}), ("bin", {-1.0, 1.0})):
        layer = BinaryLinear(5, 4, weights)
        layer.real.data[0, 0] = 1.5
        assert set(layer.weight.unique().tolist()) == values
        w = layer.weight.detach().requires_grad_()
        torch.testing.assert_close(layer(x), F.linear(x, w))
        wanted = torch.autograd.grad(F.linear(x, w), w, gradient)[0]
        layer(x).backward(gradient)
        wanted[0, 0] = 0  # clipped straight-through
        torch.testing.assert_close(layer.real.grad, wanted)
    with pytest.raises(InputError, match=r"^weights: must be bin01 or bin, not 'ternary'$"):
        BinaryLinear(2, 2, "ternary")


def test_quantised_layers_are_layers_of_quantised_numbers():
    torch.manual_seed(0)
    conv, x = QuantisedConv2d(4, 6, 3, stride=2, padding=1, groups=2, bits=4), torch.rand(2, 4, 6, 6)
    expected = F.conv2d(on_grid(x, 4), on_grid(conv.weight, 4), conv.bias, 2, 1, 1, 2)
    torch.testing.assert_close(conv(x), expected)
    linear, rows = QuantisedLinear(5, 3, quantise="wageubn", bits=6), torch.rand(2, 5)
    torch.testing.assert_close(linear(rows), F.linear(on_grid(rows, 6), on_grid(linear.weight, 6), linear.bias))
    assert QuantisedConv2d(1, 1, 1, quantise="sbm")(torch.rand(1, 1, 2, 2)).shape == (1, 1, 2, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: QuantisedConv2d(1, 1, 1, bits=40), "bits: must be 2 to 32, not 40"),
        (lambda: QuantisedLinear(1, 1, quantise="x"), "quantise: must be one of wageubn, sbm, not 'x'"),
        (
            lambda: QuantisedConv2d(1, 1, 1, padding="same"),
            "padding: must be zeros around the image, given as numbers, not 'same'",
        ),
    ],
)
def test_errors(make, message):
    with pytest.raises(InputError) as error:
        make()
    assert str(error.value) == message
