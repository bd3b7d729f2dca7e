"""What people write around a step: accumulation, clipping, mixed precision, checkpoints, averages, frozen parts."""

from __future__ import annotations

import copy
from collections import Counter
from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F
from torch.optim import SGD, AdamW
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn, get_ema_multi_avg_fn
from torch.utils.checkpoint import checkpoint

from hwsim.errors import HwsimError
from hwsim.trace import capture_step

MACS = 5 * (6 * 8 + 8 * 4)  # of one forward pass
BACKWARD = 2 * MACS - 5 * 6 * 8  # the input needs no gradient


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4)), torch.randn(5, 6)


def told(model, optimizers, *inputs):
    return {"model": model, "optimizers": optimizers, "inputs": inputs}


def check(capture, **told):
    """Return the workload of a capture that is closed."""
    closure = capture.closure(**told)
    assert closure.missing == closure.unexpected == frozenset()
    return capture.workload(name="step", **told)


def macs(workload):
    total = Counter()
    for operator in workload.operators:
        total[operator.phase] += operator.macs
    return total["forward"], total["grad_input"] + total["grad_weight"]


@pytest.mark.parametrize("mode", [nullcontext, FakeTensorMode], ids=["real", "fake"])
@pytest.mark.parametrize("keep", [False, True], ids=["none", "zeros"])
def test_gradient_accumulation(mode, keep):
    with mode():
        model, x = network()
        optimizer = AdamW(model.parameters(), fused=True)

        def step():
            optimizer.zero_grad(set_to_none=not keep)
            for _ in range(3):
                (model(x).sum() / 3).backward()
            optimizer.step()

        workload = check(capture_step(step), **told(model, [optimizer], x))
    assert macs(workload) == (3 * MACS, 3 * BACKWARD)
    added = [o for o in workload.operators if o.source == "aten::add_" and o.phase == "grad_weight"]
    assert len(added) == 4 * (3 if keep else 2)
    assert len([o for o in workload.operators if o.source == "AdamW.step"]) == 4


@pytest.mark.parametrize("foreach", [False, True])
def test_clipping_belongs_to_the_optimizer(foreach):
    with FakeTensorMode():
        model, x = network()
        optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)

        def step():
            optimizer.zero_grad()
            model(x).sum().backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=foreach)
            optimizer.step()

        workload = check(capture_step(step), **told(model, [optimizer], x))
    work = Counter()
    for operator in workload.operators:
        if operator.phase == "optimizer" and operator.source != "SGD.step":
            work[operator.source.removeprefix("aten::").replace("_foreach_", "").strip("_")] += 1
    norms = work.pop("norm", 0) + work.pop("linalg_vector_norm")
    assert norms == 4 + 1
    assert work == {"stack": 1, "add": 1, "reciprocal": 1, "mul": 1 + 4, "clamp": 1}


def test_bfloat16_autocast_casts_weights_and_their_gradients():
    with FakeTensorMode():
        model, x = network()
        optimizer = AdamW(model.parameters(), fused=True)

        def step():
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16):
                y = model(x)
            y.float().sum().backward()
            optimizer.step()

        workload = check(capture_step(step), **told(model, [optimizer], x))
    assert macs(workload) == (MACS, BACKWARD)
    assert {o.written.format for o in workload.operators if o.is_contraction} == {"bf16"}
    casts = Counter(o.phase for o in workload.operators if o.source == "aten::_to_copy")
    # input, four parameters, the output; back: the output, four parameters
    assert casts == {"forward": 6, "grad_input": 1, "grad_weight": 4}
    update = next(o for o in workload.operators if o.phase == "optimizer")
    assert {o.format for o in update.operands} == {"fp32"}


@pytest.mark.parametrize("fused", [False, True])
def test_float16_with_loss_scaling(fused):
    model, x = network()
    optimizer = AdamW(model.parameters(), fused=fused, foreach=False)
    scaler = torch.amp.GradScaler("cpu", init_scale=1.0)

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.float16):
            y = model(x)
        scaler.scale(y.float().sum()).backward()
        scaler.step(optimizer)
        scaler.update()

    capture = capture_step(step)
    workload = check(capture, **told(model, [optimizer], x, scaler._scale, scaler._growth_tracker))
    assert macs(workload) == (MACS, BACKWARD)
    phases = {o.source: o.phase for o in workload.operators}
    assert phases["aten::_amp_foreach_non_finite_check_and_unscale_"] == "optimizer"
    assert phases["aten::_amp_update_scale_"] == "optimizer"
    assert len([o for o in workload.operators if o.source == "AdamW.step"]) == 4


def test_loss_scaling_looks_at_data():
    with FakeTensorMode():
        model, x = network()
        optimizer = SGD(model.parameters(), lr=0.1)
        scaler = torch.amp.GradScaler("cpu")

        def step():
            scaler.scale(model(x).sum()).backward()
            scaler.step(optimizer)

        message = r"^the step calls aten\._local_scalar_dense\.default, whose result depends on the values of tensors"
        with pytest.raises(HwsimError, match=message):
            capture_step(step)


@pytest.mark.parametrize(("reentrant", "function"), [(False, False), (True, False), (False, True)])
def test_checkpointed_parts_run_again(reentrant, function):
    model, x = network()
    x.requires_grad_()

    def part(y):
        return F.relu(F.linear(y, model[0].weight, model[0].bias))

    def step():
        model.zero_grad()
        hidden = checkpoint(part if function else model[:2], x, use_reentrant=reentrant)
        model[2](hidden).sum().backward()

    workload = capture_step(step).workload(name="step", **told(model, [], x))
    again = [o for o in workload.operators if o.recomputed]
    assert {o.phase for o in again} == {"forward"}
    assert [o.source for o in again][:2] == ["aten::addmm", "aten::relu"]
    assert sum(o.macs for o in again) == 5 * 6 * 8
    assert macs(workload) == (MACS + 5 * 6 * 8, 2 * MACS)
    first = next(i for i, o in enumerate(workload.operators) if o.phase != "forward")
    assert all(workload.operators.index(o) > first for o in again)


@pytest.mark.parametrize("how", [{"avg_fn": get_ema_avg_fn(0.9)}, {"multi_avg_fn": get_ema_multi_avg_fn(0.9)}])
def test_weight_averages_belong_to_the_optimizer(how):
    model, x = network()
    average = AveragedModel(model, **how)
    optimizer = SGD(model.parameters(), lr=0.1, foreach=True)

    def step():
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()
        average.update_parameters(model)

    workload = check(capture_step(step, warm_up=2), **told([model, average], [optimizer], x))
    assert macs(workload) == (MACS, BACKWARD)
    last = max(i for i, o in enumerate(workload.operators) if o.phase != "optimizer")
    assert {o.phase for o in workload.operators[last + 1 :]} == {"optimizer"}


def test_several_optimizers_and_frozen_parts():
    with FakeTensorMode():
        model, x = network()
        frozen = nn.Linear(6, 6).requires_grad_(False)
        first, second = SGD(model[0].parameters(), lr=0.1, momentum=0.9), AdamW(model[2].parameters(), fused=True)

        def step():
            for optimizer in (first, second):
                optimizer.zero_grad()
            model(frozen(x)).sum().backward()
            for optimizer in (first, second):
                optimizer.step()

        workload = check(capture_step(step), **told([model, frozen], [first, second], x))
    assert macs(workload) == (MACS + 5 * 6 * 6, BACKWARD)
    updates = Counter(o.source for o in workload.operators if o.phase == "optimizer")
    assert updates == {"SGD.step": 2, "AdamW.step": 2}
    assert {o.module for o in workload.operators if o.source == "SGD.step"} == {"Sequential.0"}


def test_a_step_is_not_changed_by_its_capture():
    def trained(run):
        model, x = network()
        optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)

        def step():
            optimizer.zero_grad()
            model(x).square().sum().backward()
            optimizer.step()

        run(step)
        return copy.deepcopy(model.state_dict())

    plain, captured = trained(lambda step: (step(), step())), trained(capture_step)
    assert all(torch.equal(plain[key], captured[key]) for key in plain)
