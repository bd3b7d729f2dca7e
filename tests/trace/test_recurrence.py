"""The kernel of LSTM layers has the products of its parts, forward and backward."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import nn

from hwsim.trace import StepCapture
from hwsim.trace.step import in_parts

STEPS, BATCH, INPUTS, HIDDEN = 5, 3, 8, 6
KERNEL = ("aten::mkldnn_rnn_layer", "aten::mkldnn_rnn_layer_backward")


def captured(**how):
    torch.manual_seed(0)
    model = nn.LSTM(INPUTS, HIDDEN, **how)
    x = torch.randn(*((BATCH, STEPS) if how.get("batch_first") else (STEPS, BATCH)), INPUTS, requires_grad=True)
    with StepCapture() as capture:
        model(x)[0].sum().backward()
    return capture.workload(name="lstm", model=model, inputs=[x])


def macs(workload):
    total = Counter()
    for operator in workload.operators:
        total[operator.phase] += operator.macs * operator.count
    return total["forward"], total["grad_input"], total["grad_weight"]


@pytest.mark.parametrize("how", [{}, {"bias": False}, {"num_layers": 2, "bidirectional": True, "batch_first": True}])
def test_products_are_those_of_the_parts(how):
    """Beside them the kernel computes the gradient of the first hidden state, which nobody asked for."""
    with in_parts():
        parts = captured(**how)
    kernel = captured(**how)
    assert {o.source for o in kernel.operators} >= set(KERNEL)
    assert not {o.source for o in parts.operators} & set(KERNEL)
    forward, to_input, to_weight = macs(parts)
    layers = 4 if how.get("num_layers") else 1
    assert macs(kernel) == (forward, to_input + layers * BATCH * HIDDEN * 4 * HIDDEN, to_weight)


def test_hidden_states_follow_each_other():
    kernel = {o.name: o for o in captured().operators}
    hidden = kernel["mkldnn_rnn_layer.hidden"]
    assert (hidden.count, hidden.dims) == (STEPS, {"g": 1, "n": BATCH, "m": 4 * HIDDEN, "c": HIDDEN})
    assert hidden.operand("weight").role == hidden.operand("bias").role == "parameter"
    assert kernel["mkldnn_rnn_layer.cell"].points == STEPS * BATCH * HIDDEN
    assert kernel["mkldnn_rnn_layer_backward.to_hidden_weight"].operand("weight").role == "gradient"
    names = list(kernel)
    edges = {names[i]: {names[j] for j in sources} for i, sources in enumerate(captured().dependences())}
    assert edges["mkldnn_rnn_layer.cell"] >= {"mkldnn_rnn_layer.input", "mkldnn_rnn_layer.hidden"}
    assert edges["mkldnn_rnn_layer_backward.to_input"] == {"mkldnn_rnn_layer_backward.cell"}
