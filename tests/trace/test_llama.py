"""An AdamW step of Llama-7B on a sequence of 4096 tokens: parameters, products and memory by hand."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F

from hwsim.trace import trace
from models.zoo import ZOO

pytestmark = pytest.mark.slow

TOKENS, WIDTH, HIDDEN, VOCABULARY, DEPTH, HEADS = 4096, 4096, 11008, 32000, 32, 32
LAYER = 4 * WIDTH**2 + 3 * WIDTH * HIDDEN  # attention and feed-forward
PARAMETERS = 2 * VOCABULARY * WIDTH + DEPTH * (LAYER + 2 * WIDTH) + WIDTH
TENSORS = 2 + 9 * DEPTH + 1
FP32 = 4


@pytest.fixture(scope="module")
def step():
    with FakeTensorMode():
        model = ZOO["llama_7b"].make()
    target = torch.zeros(1, TOKENS, dtype=torch.long)
    return trace(
        model, ZOO["llama_7b"].inputs(1), optimizer=partial(torch.optim.AdamW, fused=True),
        loss=lambda scores: F.cross_entropy(scores.flatten(0, -2), target.flatten()),
    )  # fmt: skip


def test_products(step):
    """Fused attention computes its scores again in the backward pass; causal attention counts in full."""
    layers, attention = TOKENS * (DEPTH * LAYER + WIDTH * VOCABULARY), DEPTH * TOKENS**2 * WIDTH
    macs = Counter()
    for operator in step.operators:
        macs[operator.phase] += operator.macs
    assert macs["forward"] == layers + 2 * attention == 31_460_635_443_200
    assert (macs["grad_weight"], macs["grad_input"]) == (layers, layers + 5 * attention)


def test_parameters_and_optimizer_state(step):
    """AdamW holds two moments of each value, and the number of steps of each tensor."""
    updates = [o for o in step.operators if o.source == "AdamW.step"]
    assert len(updates) == TENSORS
    assert sum(o.points for o in updates) == PARAMETERS == 6_738_415_616
    assert step.memory.parameters_bytes == FP32 * PARAMETERS
    assert step.memory.optimizer_state_bytes == FP32 * (2 * PARAMETERS + TENSORS)


def test_activations(step):
    """What autograd keeps, at the moment when the gradient of the scores joins it.

    Of a layer: the input of each norm, the input scaled, and the norm's result; queries and keys turned, values, and
    what attention gives; gate, its activation, the other branch and their product. Of a norm also the scale of every
    token, of attention a sum for every head and token. At the end a norm and the scores; of all layers the turns.
    """
    wide, hidden = TOKENS * WIDTH, TOKENS * HIDDEN
    norm = 3 * wide + TOKENS
    layer = 2 * norm + 4 * wide + HEADS * TOKENS + 4 * hidden
    turns, loss = 2 * TOKENS * WIDTH // HEADS, 2
    scores = TOKENS * VOCABULARY
    assert step.memory.at == "aten::_log_softmax_backward_data"
    assert step.memory.activations_bytes == FP32 * (DEPTH * layer + norm + scores + turns + loss)
    assert step.memory.gradients_bytes == 0
