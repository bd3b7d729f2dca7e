"""Attention is the same products whatever kernel computes it, and they agree with PyTorch's own counter."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from hwsim.trace import StepCapture

BATCH, HEADS, ROWS, KEYS, WIDTH = 2, 4, 6, 10, 8
PRODUCT = BATCH * HEADS * ROWS * KEYS * WIDTH


def attention(backend, *, causal=False, key_heads=HEADS, mask=None):
    torch.manual_seed(0)
    query = torch.randn(BATCH, HEADS, ROWS, WIDTH, requires_grad=True)
    key = torch.randn(BATCH, key_heads, KEYS, WIDTH, requires_grad=True)
    value = torch.randn(BATCH, key_heads, KEYS, WIDTH, requires_grad=True)
    shared = key_heads != HEADS
    with sdpa_kernel(backend), FlopCounterMode(display=False) as counter, StepCapture() as capture:
        F.scaled_dot_product_attention(query, key, value, mask, is_causal=causal, enable_gqa=shared).sum().backward()
    return capture.workload(name="attention", inputs=(query, key, value)), counter.get_total_flops()


def macs(workload, phase):
    return sum(o.macs for o in workload.operators if o.phase == phase)


def test_unfused_attention_agrees_with_the_flop_counter():
    workload, flops = attention(SDPBackend.MATH)
    assert 2 * workload.macs == flops
    assert (macs(workload, "forward"), macs(workload, "grad_input")) == (2 * PRODUCT, 4 * PRODUCT)


@pytest.mark.parametrize("causal", [False, True])
def test_fused_attention_computes_the_scores_again(causal):
    workload, _ = attention(SDPBackend.FLASH_ATTENTION, causal=causal)
    assert (macs(workload, "forward"), macs(workload, "grad_input")) == (2 * PRODUCT, 5 * PRODUCT)


def test_parts_of_fused_attention():
    workload, _ = attention(SDPBackend.FLASH_ATTENTION)
    parts = [(o.name, o.primitive) for o in workload.operators if "attention" in o.name]
    assert parts == [
        ("attention.scores", "mac"),
        ("attention.softmax", "elementwise"),
        ("attention.values", "mac"),
        ("attention_backward.scores", "mac"),
        ("attention_backward.softmax", "elementwise"),
        ("attention_backward.value", "mac"),
        ("attention_backward.weights", "mac"),
        ("attention_backward.softmax_backward", "elementwise"),
        ("attention_backward.query", "mac"),
        ("attention_backward.key", "mac"),
    ]


def test_parts_depend_on_each_other():
    workload, _ = attention(SDPBackend.FLASH_ATTENTION)
    names = [o.name for o in workload.operators]
    edges = {names[i]: {names[j] for j in sources} for i, sources in enumerate(workload.dependences())}
    assert edges["attention.softmax"] == {"attention.scores"}
    assert edges["attention.values"] == {"attention.softmax"}
    assert edges["attention_backward.softmax"] == {"attention.softmax", "attention_backward.scores"}
    assert edges["attention_backward.softmax_backward"] == {
        "attention.values", "attention_backward.softmax", "attention_backward.weights"
    }  # fmt: skip
    assert edges["attention_backward.query"] == {"attention_backward.softmax_backward"}


def test_query_heads_that_share_a_key_head_are_rows_of_it():
    workload, _ = attention(SDPBackend.FLASH_ATTENTION, key_heads=2)
    assert macs(workload, "forward") == 2 * PRODUCT
    scores = next(o for o in workload.operators if o.name == "attention.scores")
    assert scores.dims == {"g": BATCH * 2, "n": 2 * ROWS, "m": KEYS, "c": WIDTH}


def test_a_mask_is_read():
    workload, _ = attention(SDPBackend.FLASH_ATTENTION, mask=torch.zeros(ROWS, KEYS))
    for name in ("attention.softmax", "attention_backward.softmax"):
        softmax = next(o for o in workload.operators if o.name == name)
        assert softmax.operand("mask").elements in (ROWS * KEYS, BATCH * HEADS * ROWS * KEYS)


VARIANTS = {
    "plain": {},
    "causal": {"causal": True},
    "masked": {"mask": torch.zeros(ROWS, KEYS)},
    "grouped": {"key_heads": 2},
    "grouped and causal": {"key_heads": 1, "causal": True},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("backend", [SDPBackend.MATH, SDPBackend.FLASH_ATTENTION], ids=["math", "flash"])
def test_every_variant_has_the_same_products(variant, backend):
    """Causal attention counts in full: see `hwsim.trace.lowering.attention`."""
    workload, flops = attention(backend, **VARIANTS[variant])
    again = 0 if backend is SDPBackend.MATH else 1
    assert (macs(workload, "forward"), macs(workload, "grad_input")) == (2 * PRODUCT, (4 + again) * PRODUCT)
    assert flops == (0 if again else 2 * workload.macs)  # the counter does not know the CPU's kernel


def meta(*shape):
    return torch.empty(*shape, device="meta")


def flash(query, key, value):
    op = torch.ops.aten
    out = op._scaled_dot_product_flash_attention(query, key, value, 0.1, True)
    op._scaled_dot_product_flash_attention_backward(
        out[0], query, key, value, out[0], *out[1:6], 0.1, True, out[6], out[7]
    )


def efficient(query, key, value):
    op, mask = torch.ops.aten, meta(BATCH, HEADS, ROWS, KEYS)
    out = op._scaled_dot_product_efficient_attention(query, key, value, mask, True, 0.1, True)
    op._scaled_dot_product_efficient_attention_backward(
        out[0], query, key, value, mask, *out, 0.1, [True, True, True, False], True
    )


@pytest.mark.parametrize("kernel", [flash, efficient])
def test_kernels_of_gpus(kernel):
    query, key, value = meta(BATCH, HEADS, ROWS, WIDTH), meta(BATCH, HEADS, KEYS, WIDTH), meta(BATCH, HEADS, KEYS, WIDTH)
    with StepCapture() as capture:
        kernel(query, key, value)
    products = [o for o in capture.workload(name="kernel").operators if o.is_contraction]
    assert [o.macs for o in products] == 7 * [PRODUCT]
    assert [o.written.name for o in products] == ["output", "output", "output", "weight", "input", "input", "weight"]


def test_dropout_is_beside_the_products():
    torch.manual_seed(0)
    query, key = (torch.randn(BATCH, HEADS, size, WIDTH) for size in (ROWS, KEYS))
    with StepCapture() as capture:
        F.scaled_dot_product_attention(query, key, key, dropout_p=0.1)
    workload = capture.workload(name="dropout")
    assert workload.macs == 2 * PRODUCT
    assert "aten::bernoulli_" in {o.source for o in workload.operators}
