"""Adder layers equal a naive broadcast, with gradients from autograd on another formulation."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from hwsim.errors import InputError
from models.layers import AdderConv2d, AdderLinear, adder_conv2d, adder_kernel


class FullDifference(torch.autograd.Function):
    """``-|x - w|`` with the gradients that AdderNet states, element by element."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return -(x - w).abs()

    @staticmethod
    def backward(ctx, gradient):
        x, w = ctx.saved_tensors
        return gradient * F.hardtanh(w - x), gradient * (x - w)


def naive(x, w, stride, padding, dilation, groups):
    """By the definition: pad, slide, subtract, sum; autograd does the rest."""
    padded = F.pad(x, (padding[1], padding[1], padding[0], padding[0]))
    rows, columns = (
        (size - gap * (kernel - 1) - 1) // step + 1
        for size, gap, kernel, step in zip(padded.shape[2:], dilation, w.shape[2:], stride, strict=True)
    )
    depth, width, outputs = w.shape[1], len(w) // groups, []
    for index, own in enumerate(w):
        total = torch.zeros(len(x), rows, columns, dtype=x.dtype)
        for c in range(depth):
            for i in range(w.shape[2]):
                for j in range(w.shape[3]):
                    y, z = i * dilation[0], j * dilation[1]
                    patch = padded[
                        :, index // width * depth + c, y : y + (rows - 1) * stride[0] + 1 : stride[0],
                        z : z + (columns - 1) * stride[1] + 1 : stride[1],
                    ]  # fmt: skip
                    total = total + FullDifference.apply(patch, own[c, i, j].expand(patch.shape))
        outputs.append(total)
    return torch.stack(outputs, 1)


def pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


@settings(max_examples=40, deadline=None)
@given(pairs(1, 3), pairs(1, 2), pairs(0, 2), pairs(1, 2), st.sampled_from([1, 2, 3]), st.sampled_from([4, 64, 1 << 18]))
def test_forward_and_gradients_equal_autograd_of_the_definition(kernel, stride, padding, dilation, groups, block):
    torch.manual_seed(0)
    x = torch.randn(2, 2 * groups, 7, 6, dtype=torch.float64, requires_grad=True)
    w = torch.randn(3 * groups, 2, *kernel, dtype=torch.float64, requires_grad=True)
    expected = naive(x, w, stride, padding, dilation, groups)
    gradient = torch.randn_like(expected)
    wanted = torch.autograd.grad(expected, (x, w), gradient)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adder_kernel, "BLOCK", block)
        got = adder_conv2d(x, w, list(stride), list(padding), list(dilation), groups, 0.0)
        torch.testing.assert_close(got, expected)
        torch.testing.assert_close(torch.autograd.grad(got, (x, w), gradient), wanted)


def test_small_parts_of_a_batch_give_the_same(monkeypatch):
    torch.manual_seed(0)
    layer, x = AdderConv2d(3, 4, 3, padding=1), torch.randn(5, 3, 6, 6)
    whole = layer(x)
    monkeypatch.setattr("models.layers.adder.UNFOLDED", 1)
    torch.testing.assert_close(layer(x), whole)


def test_weight_gradient_is_scaled_to_the_norm_of_the_layer():
    torch.manual_seed(0)
    x, gradient = torch.randn(4, 3, 5, 5), torch.randn(4, 6, 5, 5)
    plain, scaled = (AdderConv2d(3, 6, 3, padding=1, eta=eta) for eta in (0.0, 0.2))
    scaled.load_state_dict(plain.state_dict())
    plain(x).backward(gradient)
    scaled(x).backward(gradient)
    expected = plain.weight.grad * 0.2 * (6 * 3 * 9) ** 0.5 / plain.weight.grad.norm()
    torch.testing.assert_close(scaled.weight.grad, expected)
    assert scaled.weight.grad.norm().item() == pytest.approx(0.2 * 162**0.5)


def test_a_gradient_of_zero_stays_zero():
    layer = AdderConv2d(2, 2, 1)
    layer(torch.randn(1, 2, 3, 3)).backward(torch.zeros(1, 2, 3, 3))
    assert torch.equal(layer.weight.grad, torch.zeros_like(layer.weight))


def test_linear_is_the_distance_of_rows():
    torch.manual_seed(0)
    layer, x = AdderLinear(5, 4), torch.randn(2, 3, 5)
    expected = -(x[..., None, :] - layer.weight.flatten(1)).abs().sum(-1)
    torch.testing.assert_close(layer(x), expected)


def test_blocks_are_bounded():
    """A broadcast would hold 100 x 64 x 576 numbers at once."""
    x, w = torch.randn(100, 576), torch.randn(64, 576)
    blocks = [block for _, _, block in adder_kernel._blocks(x, w)]
    assert max(block.numel() for block in blocks) <= adder_kernel.BLOCK
    assert len({block.untyped_storage().data_ptr() for block in blocks}) == 1
    assert sum(block.numel() for block in blocks) == 100 * 64 * 576


def test_quantised_forms():
    torch.manual_seed(0)
    layer, x = AdderConv2d(2, 3, 3, quantise="wageubn", bits=4), torch.rand(1, 2, 5, 5)
    assert torch.equal(layer(x) * 8, (layer(x) * 8).round())
    layer.weight.data.fill_(5.0)  # outside -1 .. 1: an adder layer's numbers do not saturate
    torch.testing.assert_close(layer(x), -(5 - (x * 8).round() / 8).unfold(2, 3, 1).unfold(3, 3, 1).sum((1, 4, 5))[:, None].expand(1, 3, 3, 3))
    with pytest.raises(InputError, match=r"^quantise: must be one of wageubn, sbm, not 'int8'$"):
        AdderConv2d(2, 3, 3, quantise="int8")


def test_channels_must_divide():
    with pytest.raises(InputError, match=r"^channels must divide by groups=2, not \(3, 4\)$"):
        AdderConv2d(3, 4, 1, groups=2)
