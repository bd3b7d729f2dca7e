"""Every form of an optimizer is the same update of each parameter: reads, writes and arithmetic by hand."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW

from hwsim.trace import StepCapture

FORMS = {"loop": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}
KINDS = {
    "sgd": (SGD, {}),
    "momentum": (SGD, {"momentum": 0.9, "weight_decay": 1e-4}),
    "nesterov": (SGD, {"momentum": 0.9, "nesterov": True}),
    "adam": (Adam, {"weight_decay": 0.1}),
    "amsgrad": (Adam, {"amsgrad": True}),
    "adamw": (AdamW, {}),
}


def updates(kind, options, steps=1):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(30, 20), nn.Linear(20, 10, bias=False))
    optimizer = kind(model.parameters(), **options)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    with StepCapture() as capture:
        for _ in range(steps):
            optimizer.step()
    return capture.workload(name="update", model=model, optimizers=[optimizer]).operators


@pytest.mark.parametrize("name", KINDS)
def test_forms_are_equal(name):
    kind, options = KINDS[name]
    forms = [updates(kind, options | form) for form in FORMS.values()]
    assert len(forms[0]) == 3
    assert Counter(o.signature for o in forms[0]) == Counter(o.signature for o in forms[1])
    assert Counter(o.signature for o in forms[0]) == Counter(o.signature for o in forms[2])
    assert {o.name for o in forms[0]} == {o.name for o in forms[1]} == {o.name for o in forms[2]}


def test_an_update_by_hand():
    weight = next(o for o in updates(AdamW, {"foreach": False}) if o.name == "0.weight.AdamW.step")
    assert (weight.dims, weight.module, weight.phase, weight.source) == ({"x": 600}, "0", "optimizer", "AdamW.step")
    moved = [(o.access, o.name, o.shape) for o in weight.operands]
    matrix, one = (20, 30), ()
    assert moved == [
        ("read", "parameter", matrix), ("read", "gradient", matrix),
        ("read", "state", matrix), ("read", "state", matrix), ("read", "state", one),
        ("write", "parameter", matrix), ("write", "state", matrix), ("write", "state", matrix), ("write", "state", one),
    ]  # fmt: skip
    assert weight.arithmetic == pytest.approx({"add": 13 + 1 / 600, "mult": 16})  # one addition counts the step


def test_later_calls_have_names_and_dependences():
    operators = updates(SGD, {"momentum": 0.9}, steps=2)
    assert [o.name for o in operators[::3]] == ["0.weight.SGD.step", "0.weight.SGD.step#2"]
    first, second = operators[0], operators[3]
    written = {o.tensor for o in first.operands if o.access == "write"}
    assert written < {o.tensor for o in second.operands if o.access == "read"}


def test_the_first_call_makes_the_state():
    torch.manual_seed(0)
    model = nn.Linear(3, 2, bias=False)
    model.weight.grad = torch.ones(2, 3)
    optimizer = AdamW(model.parameters(), fused=True)
    with StepCapture() as capture:
        optimizer.step()
    (update,) = capture.workload(name="first", model=model, optimizers=[optimizer]).operators
    assert [o.name for o in update.operands if o.access == "read"] == ["parameter", "gradient"]
    assert len([o for o in update.operands if o.access == "write"]) == 4


def test_what_works_on_all_parameters_at_once_stays_as_it_is():
    torch.manual_seed(0)
    model, x = nn.Linear(3, 2), torch.randn(4, 3)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=2)

    def closure():
        optimizer.zero_grad()
        loss = model(x).square().sum()
        loss.backward()
        return loss

    with StepCapture() as capture:
        optimizer.step(closure)
    sources = {o.source for o in capture.workload(name="lbfgs", model=model, optimizers=[optimizer]).operators}
    assert {"aten::dot", "aten::addmm", "aten::cat"} <= sources
