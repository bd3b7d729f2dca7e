"""Attention that adds: against quadratic attention written out, its gradients, and its primitives in a trace."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hwsim.errors import InputError
from hwsim.trace import trace
from models.shiftaddvit import LinearAngularAttention, fit_codes
from models.shiftaddvit.matadd import binary_matmul, matadd


def quadratic(layer, x):
    """The same attention with a weight for each pair of tokens, head by head."""
    _, tokens, width = x.shape
    size = width // layer.heads
    q, k, v = layer.qkv(x).split(width, dim=2)
    results = []
    for head in range(layer.heads):
        part = slice(head * size, head * size + size)
        queries, keys = (F.normalize(t[:, :, part], dim=2) for t in (q, k))
        queries, keys = (layer.codes(t[:, None])[:, 0] for t in (queries, keys))
        similarity = torch.eye(tokens) / 2 + queries @ keys.transpose(1, 2) / math.pi
        y = similarity @ v[:, :, part]
        y = y / y.norm(dim=2, keepdim=True)
        kernel = layer.depthwise.weight[head, 0, :, 0]
        reach = len(kernel) // 2
        for offset in range(-reach, reach + 1):
            for token in range(max(0, -offset), min(tokens, tokens - offset)):
                y = y.index_add(1, torch.tensor([token]), kernel[reach + offset] * v[:, [token + offset], part])
        results.append(y)
    return layer.out(torch.cat(results, dim=2))


def test_equals_quadratic_attention():
    torch.manual_seed(0)
    layer, x = LinearAngularAttention(12, 3, "mean"), torch.randn(2, 7, 12)
    torch.testing.assert_close(layer(x), quadratic(layer, x))
    parameters = list(layer.parameters())
    gradient = torch.randn(2, 7, 12)
    ours = torch.autograd.grad(layer(x), parameters, gradient)
    torch.testing.assert_close(
        ours, torch.autograd.grad(quadratic(layer, x), parameters, gradient), atol=1e-5, rtol=1e-4
    )


def test_matadd_adds_what_codes_select():
    torch.manual_seed(0)
    codes, values = (torch.rand(2, 3, 4, 5) > 0.5).float(), torch.randn(2, 3, 5, 6)
    wanted = torch.zeros(2, 3, 4, 6)
    for row in range(4):
        for inner in range(5):
            selected = codes[:, :, row, inner] == 1
            wanted[:, :, row][selected] += values[:, :, inner][selected]
    torch.testing.assert_close(matadd(codes, values), wanted)


def test_gradients_of_matadd():
    torch.manual_seed(0)
    codes = (torch.rand(3, 4, 5) > 0.5).double().requires_grad_()
    values, gradient = torch.randn(3, 5, 6).double().requires_grad_(), torch.randn(3, 4, 6).double()
    ours = torch.autograd.grad(binary_matmul(codes, values), (codes, values), gradient)
    einsum = torch.einsum("bij,bjk->bik", codes, values)
    torch.testing.assert_close(ours, torch.autograd.grad(einsum, (codes, values), gradient))
    torch.library.opcheck(binary_matmul, (codes.detach(), values.detach()))


def test_trace_of_a_step():
    """Both products add, and so do the gradients of what codes multiply; gradients of codes are products."""
    layer = LinearAngularAttention(8, 2, "mean")
    step = trace(layer, torch.zeros(1, 5, 8), loss=lambda y: y.sum(), name="step")
    found = [(o.phase, o.macs) for o in step.operators if o.primitive == "binary_add"]
    assert found[:2] == [("forward", 2 * 5 * 4 * 4)] * 2
    assert [macs for phase, macs in found[2:] if phase != "forward"] == [2 * 5 * 4 * 4] * 2
    forward = next(o for o in step.operators if o.primitive == "binary_add")
    formats = {o.name: o.format for o in forward.operands}
    assert formats == {"input": "bin01", "weight": "fp32", "output": "fp32"}
    products = [o for o in step.operators if o.source == "aten::bmm" and o.primitive == "mac"]
    assert len(products) == 2


def test_hash_functions_are_fitted_where_they_are():
    torch.manual_seed(0)
    network = nn.Sequential(LinearAngularAttention(8, 2), LinearAngularAttention(8, 2)).train()
    x = torch.randn(3, 40, 8)
    fit_codes(network, x)
    assert network.training
    for layer, given in ((network[0], x), (network[1], network[0](x))):
        query, key, _ = layer.projections(given)
        tokens = torch.cat((query, key), 2)[:, 1].flatten(0, 1)
        assert (layer.codes.anchors[1, :, None] - tokens).abs().amax(2).amin(1).max() < 1e-5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((8, 3), "width: must divide by heads=3, not 8"),
        ((8, 2, "sign"), "codes: must be one of hash, mean, not 'sign'"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(InputError) as error:
        LinearAngularAttention(*arguments)
    assert str(error.value) == message
    with pytest.raises(InputError, match=r"^kernel: must be odd, not 4$"):
        LinearAngularAttention(8, 2, kernel=4)
