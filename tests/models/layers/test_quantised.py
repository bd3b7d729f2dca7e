"""Quantisers and the layers built on them."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_input, conv2d_weight

from hwsim.errors import InputError
from hwsim.trace import trace
from models.layers import AdderConv2d, BinaryLinear, QuantisedConv2d, QuantisedLinear, Sbm, fixed_point
from models.layers.quantisers import quantisers
from models.layers.rounding import on_grid, round_by_chance, rounded_by_extremes, rounded_by_power


def test_fixed_point_rounds_and_saturates():
    x = torch.tensor([0.1, -1.5, 3e5], requires_grad=True)
    fixed_point(x, bits=8, fraction=2).sum().backward()
    assert fixed_point(x, bits=8, fraction=2).tolist() == [0.0, -1.5, 31.75]
    assert x.grad.tolist() == [1, 1, 1]


def test_grid_of_wageubn():
    x = torch.tensor([-2.0, -0.3, 0.1, 0.9, 5.0])
    assert (on_grid(x, 4) * 8).tolist() == [-7, -2, 1, 7, 7]
    assert (on_grid(x, 4, saturate=False) * 8).tolist() == [-16, -2, 1, 7, 40]


def test_rounding_by_chance_is_right_on_average():
    torch.manual_seed(0)
    step, origin = torch.tensor(0.25), torch.tensor(0.05)
    drawn = round_by_chance(torch.full((20000,), 0.3 + 0.05), step, origin, -3.0, 3.0, "int3")
    assert (drawn - origin).unique().tolist() == pytest.approx([0.25, 0.5])
    assert drawn.mean().item() == pytest.approx(0.35, abs=0.002)
    assert (round_by_chance(torch.tensor([-5.0, 5.0]), step, origin, -3.0, 2.0, "int3") - origin).tolist() == (
        pytest.approx([-0.75, 0.5])
    )


@pytest.mark.parametrize("by_chance", [False, True])
def test_gradients_of_wageubn_are_rounded_on_a_scaled_grid(by_chance):
    torch.manual_seed(0)
    gradient = torch.randn(1000) * 0.1
    rounded = rounded_by_power(gradient, 8, by_chance=by_chance)
    scale = 2.0 ** torch.log2(gradient.abs().max()).round()
    steps, wanted = rounded / scale * 128, (gradient / scale * 128).clamp(-127, 127)
    assert torch.equal(steps, steps.round())
    if by_chance:
        assert 0.5 < (steps - wanted).abs().max() < 1
    else:
        assert torch.equal(steps, wanted.round())


def test_activations_of_sbm_have_the_extremes_of_their_batch_and_in_evaluation_the_running_ones():
    layer = Sbm(8)
    first, second = torch.linspace(-1, 1, 11), torch.linspace(-2, 3, 11)
    for batch in (first, second):
        torch.testing.assert_close(layer(batch), batch, atol=0.01, rtol=0)
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


@pytest.mark.parametrize(("kind", "weights_rounded"), [("wageubn", True), ("sbm", False)])
def test_errors_are_rounded_where_they_enter_a_layer(kind, weights_rounded):
    """Gradients of both input and weight follow from rounded errors; that of the input is not rounded again."""
    torch.manual_seed(0)
    conv, x = QuantisedConv2d(2, 4, 3, quantise=kind, bits=3, bias=False), torch.rand(2, 2, 6, 6, requires_grad=True)
    errors = torch.randn(2, 4, 4, 4)
    inputs, weights = conv.quantise_x(x.detach()), conv.quantise_weight(conv.weight).detach()
    torch.manual_seed(1)
    rounded = torch.autograd.grad(quantisers(kind, 3)[2](y := torch.zeros(2, 4, 4, 4, requires_grad=True)), y, errors)[0]
    assert len(rounded.unique()) <= 8
    torch.manual_seed(1)
    conv(x).backward(errors)
    torch.testing.assert_close(x.grad, conv2d_input(x.shape, weights, rounded))
    wanted = conv2d_weight(inputs, conv.weight.shape, rounded)
    assert torch.allclose(conv.weight.grad, wanted) is not weights_rounded
    if weights_rounded:
        assert len(conv.weight.grad.unique()) <= 8


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


@pytest.mark.parametrize("kind", ["wageubn", "sbm"])
@pytest.mark.parametrize("layer", [AdderConv2d, partial(QuantisedConv2d, bias=False)])
def test_a_rounding_is_one_operator_that_writes_the_integers(layer, kind):
    """So runs are priced as on hardware that rounds in its datapath, not with the many passes that PyTorch makes."""
    model = nn.Sequential(nn.Conv2d(3, 4, 1), layer(4, 5, 3, quantise=kind, bits=6), nn.BatchNorm2d(5))
    step = trace(model, torch.zeros(2, 3, 9, 9), loss=torch.sum)
    operators = [o for o in step.operators if o.module.split(".")[0] == "1"]
    contractions = [o for o in operators if o.is_contraction]
    large = [o for o in operators if o.largest.elements > 400 and not o.is_contraction]
    assert {o.source for o in large} <= {"hwsim::round_to_grid", "hwsim::round_by_chance", "aten::aminmax"}
    roundings = [o for o in large if "round" in o.source]
    assert [o.module for o in roundings] == ["1.quantise_x", "1.quantise_errors"]
    for rounding in roundings:
        moved = [(p.access, p.format) for p in rounding.operands if p.elements > 1]
        assert moved == [("read", "fp32"), ("write", "int6")]
    assert [o.phase for o in contractions] == ["forward", "grad_input", "grad_weight"]
    for contraction in contractions:
        assert {p.format for p in contraction.operands if p.access == "read"} == {"int6"}
        assert {p.format for p in contraction.operands if p.access == "write"} == {"fp32"}


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
