"""A steady-state step reads parameters, buffers, optimizer state and inputs before writing them, and nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hwsim.trace import Closure, StepCapture
from tests.trace.steps import OPTIMIZERS, images, run, sentences, small_decoder, small_resnet


@pytest.mark.parametrize("fake", [False, True], ids=["real", "fake"])
@pytest.mark.parametrize(
    ("make", "data", "optimizer"),
    [
        (small_resnet, images, "sgd-momentum"),
        (small_resnet, images, "sgd-momentum-fused"),
        (small_decoder, sentences, "adamw"),
        (small_decoder, sentences, "adamw-foreach"),
        (small_decoder, sentences, "adamw-fused"),
    ],
)
def test_closure_is_exact(make, data, optimizer, fake):
    step = run(make, data, OPTIMIZERS[optimizer], fake=fake)
    assert step.closure.missing == step.closure.unexpected == frozenset()
    assert step.closure.exact
    parameters, buffers = len(list(step.model.parameters())), len(list(step.model.buffers()))
    states = {"sgd-momentum": 1, "sgd-momentum-fused": 1}.get(optimizer, 3)
    assert len(step.closure.expected) == parameters * (1 + states) + buffers + 2


def test_closure_holds_in_the_workload_too():
    step = run(small_resnet, images, OPTIMIZERS["sgd-momentum"], fake=True)
    written, external = set(), set()
    for operator in step.workload.operators:
        external |= {o.tensor for o in operator.operands if o.access == "read"} - written
        written |= {o.tensor for o in operator.operands if o.access == "write"}
    assert len(external) == len(step.closure.expected)
    assert all(tensor.endswith(".0") for tensor in external)


def test_names_what_is_missing_or_unexpected():
    torch.manual_seed(0)
    model = nn.Linear(2, 2)
    model.register_buffer("unused", torch.zeros(3))
    x, unknown = torch.ones(1, 2), torch.ones(1, 2)
    with StepCapture() as capture, torch.no_grad():
        model(x + unknown)
    closure = capture.closure(model=model, inputs=x)
    assert closure.missing == {"unused"}
    assert closure.unexpected == {"storage 2: torch.float32 [1, 2], other of aten::add"}
    assert not closure.exact


def test_first_step_is_not_closed():
    torch.manual_seed(0)
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    with StepCapture() as capture:
        x = torch.ones(1, 2)
        model(x).sum().backward()
        optimizer.step()
    closure = capture.closure(model=model, optimizers=[optimizer])
    assert closure.missing == {"optimizer[0] momentum_buffer of weight", "optimizer[0] momentum_buffer of bias"}
    assert closure.unexpected == frozenset()


def test_tied_weights_are_one_storage():
    step = run(small_decoder, sentences, OPTIMIZERS["sgd"], fake=True)
    assert "tokens.weight" in step.closure.expected
    assert step.closure.exact


def test_closure_compares_sets():
    assert Closure(frozenset("ab"), frozenset("ab")).exact
    assert Closure(frozenset("ab"), frozenset("bc")).missing == {"c"}
    assert Closure(frozenset("ab"), frozenset("bc")).unexpected == {"a"}
