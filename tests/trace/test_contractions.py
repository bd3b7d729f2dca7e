"""Traced contractions, executed from their projections, give PyTorch's results: forward and both gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from hwsim.trace import StepCapture
from tests.trace.einsum import execute

CONV = [None, F.conv1d, F.conv2d, F.conv3d]
TRANSPOSED = [None, F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d]


def random(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def leaf(*shape):
    return random(*shape).requires_grad_()


def check(operator, given, expected):
    np.testing.assert_allclose(
        execute(operator, given).reshape(-1), expected.detach().numpy().reshape(-1), rtol=1e-9, atol=1e-9
    )


def traced(function, *arguments):
    """Return the operators of ``function`` and its backward pass, the result and its gradient."""
    with StepCapture() as capture:
        result = function(*arguments)
        gradient = random(*result.shape)
        result.backward(gradient)
    operators = capture.workload(name="test", inputs=arguments).operators
    return [o for o in operators if o.is_contraction], result, gradient


geometries = st.fixed_dictionaries(
    {
        "axes": st.integers(1, 3),
        "batch": st.integers(1, 2),
        "groups": st.sampled_from([1, 2]),
        "inputs": st.integers(1, 2),
        "outputs": st.integers(1, 2),
        "size": st.integers(4, 5),
        "kernel": st.integers(1, 2),
        "stride": st.integers(1, 2),
        "padding": st.integers(0, 1),
        "dilation": st.integers(1, 2),
    }
)


@settings(max_examples=40, deadline=None)
@given(geometries)
def test_convolution(case):
    torch.manual_seed(0)
    axes, groups = case["axes"], case["groups"]
    x = leaf(case["batch"], groups * case["inputs"], *range(case["size"], case["size"] + axes))
    w = leaf(groups * case["outputs"], case["inputs"], *range(case["kernel"], case["kernel"] + axes))
    where = {name: case[name] for name in ("stride", "padding", "dilation", "groups")}
    if min(s + 2 * case["padding"] - case["dilation"] * (k - 1) for s, k in zip(x.shape[2:], w.shape[2:], strict=True)) < 1:
        return
    (forward, to_input, to_weight), y, g = traced(lambda a, b: CONV[axes](a, b, **where), x, w)
    check(forward, {"input": x, "weight": w}, y)
    check(to_input, {"weight": w, "output": g}, x.grad)
    check(to_weight, {"input": x, "output": g}, w.grad)


@settings(max_examples=40, deadline=None)
@given(geometries, st.booleans())
def test_transposed_convolution(case, longer):
    torch.manual_seed(0)
    axes, groups = case["axes"], case["groups"]
    x = leaf(case["batch"], groups * case["inputs"], *range(case["size"] - 2, case["size"] - 2 + axes))
    w = leaf(groups * case["inputs"], case["outputs"], *range(case["kernel"] + 1, case["kernel"] + 1 + axes))
    where = {name: case[name] for name in ("stride", "padding", "dilation", "groups")}
    where["output_padding"] = int(longer and max(case["stride"], case["dilation"]) > 1)
    (forward, to_input, to_weight), y, g = traced(lambda a, b: TRANSPOSED[axes](a, b, **where), x, w)
    assert (forward.written.name, forward.phase) == ("input", "forward")
    assert (to_input.written.name, to_weight.written.name) == ("output", "weight")
    check(forward, {"output": x, "weight": w}, y)
    check(to_input, {"weight": w, "input": g}, x.grad)
    check(to_weight, {"output": x, "input": g}, w.grad)


def test_convolution_bias_is_read_forward_and_summed_backward():
    torch.manual_seed(0)
    x, w, b = leaf(2, 3, 5, 5), leaf(4, 3, 3, 3), leaf(4)
    with StepCapture() as capture:
        F.conv2d(x, w, b).sum().backward()
    operators = {o.name: o for o in capture.workload(name="bias", inputs=(x, w, b)).operators}
    assert operators["convolution"].operand("bias").shape == (4,)
    summed = operators["convolution_backward.bias"]
    assert (summed.points, summed.arithmetic) == (2 * 4 * 3 * 3, {"add": 1})


@pytest.mark.parametrize("bias", [False, True])
def test_linear(bias):
    torch.manual_seed(0)
    x, w, b = leaf(5, 3), leaf(4, 3), leaf(4) if bias else None
    operators, y, _ = traced(lambda *a: F.linear(*a), x, w, b)
    y = y - b if bias else y
    by_written = {o.written.name: o for o in operators}
    check(by_written["output"], {"input": x, "weight": w}, y)
    assert [o.macs for o in operators] == [60, 60, 60]
    assert ("bias" in [o.name for o in by_written["output"].operands]) == bias


def test_gradients_of_a_linear_layer():
    torch.manual_seed(0)
    model, x = torch.nn.Linear(3, 4, dtype=torch.float64), leaf(5, 3)
    operators, _, g = traced(model, x)
    by_phase = {o.phase: o for o in operators}
    assert all(o.dims == {"g": 1, "n": 5, "m": 4, "c": 3} for o in operators)
    w = model.weight
    to_input = execute(by_phase["grad_input"], {"weight": w, "output": g})
    np.testing.assert_allclose(to_input[0], x.grad.numpy())
    to_weight = execute(by_phase["grad_weight"], {"input": x, "output": g})
    np.testing.assert_allclose(to_weight[0], w.grad.numpy())


def test_batched_product_and_its_gradients():
    torch.manual_seed(0)
    a, b = leaf(2, 3, 4), leaf(2, 4, 5)
    (forward, first, second), y, g = traced(torch.bmm, a, b)
    check(forward, {"input": a, "weight": b.mT}, y)
    assert [o.phase for o in (forward, first, second)] == ["forward", "grad_input", "grad_input"]
    found = {len(o.written.shape) and o.written.elements: o for o in (first, second)}
    to_a, to_b = found[a.numel()], found[b.numel()]
    np.testing.assert_allclose(execute(to_a, {"output": g, "weight": b.mT}), a.grad.numpy())
    np.testing.assert_allclose(execute(to_b, {"output": g.mT, "weight": a}), b.grad.mT.numpy())


def test_products_with_vectors_and_shared_weights():
    torch.manual_seed(0)
    matrix, vector = random(3, 4), random(4)
    with StepCapture() as capture:
        matrix @ vector
        vector @ vector
        torch.bmm(random(2, 3, 4), matrix.T[:4, :3].expand(2, 4, 3))
        torch.baddbmm(random(2, 3, 3), random(2, 3, 4), random(2, 4, 3), beta=0)
        torch.addmm(random(3, 1), matrix, matrix.T)
    sizes = [tuple(o.dims.values()) for o in capture.workload(name="products").operators if o.is_contraction]
    assert sizes == [(1, 3, 1, 4), (1, 1, 1, 4), (1, 6, 3, 4), (2, 3, 3, 4), (1, 3, 3, 4)]
    last = capture.workload(name="products").operators[-1]
    assert last.operand("bias").projection == ("n", "0")


def test_empty_products_cost_nothing():
    with StepCapture() as capture:
        torch.zeros(0, 4) @ torch.zeros(4, 2)
        torch.addmm(torch.zeros(2), torch.zeros(0, 4), torch.zeros(4, 2))
    assert not [o for o in capture.workload(name="empty").operators if o.is_contraction]
