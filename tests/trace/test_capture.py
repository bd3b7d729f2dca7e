"""Phases, module paths, roles and dependences of captured steps."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from hwsim.errors import HwsimError
from hwsim.trace import StepCapture
from tests.trace.steps import OPTIMIZERS, images, run, sentences, small_decoder, small_resnet


class Tiny(nn.Module):
    """relu(x @ a) @ b"""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 4, bias=False)
        self.b = nn.Linear(4, 2, bias=False)

    def forward(self, x):
        return self.b(F.relu(self.a(x)))


def tiny_step(optimizer=None):
    torch.manual_seed(0)
    model, x = Tiny(), torch.randn(5, 3)
    with StepCapture() as capture:
        model(x).sum().backward()
        if optimizer:
            optimizer(model.parameters()).step()
    return capture.workload(name="tiny", model=model, inputs=x)


def test_operators_of_a_known_step():
    workload = tiny_step(lambda p: torch.optim.SGD(p, lr=0.1, foreach=False))
    assert [(o.name, o.phase, o.module) for o in workload.operators] == [
        ("a.mm", "forward", "a"),
        ("relu", "forward", ""),
        ("b.mm", "forward", "b"),
        ("loss.sum", "forward", "loss"),
        ("loss.ones_like.grad_input", "grad_input", "loss"),
        ("b.mm.grad_weight", "grad_weight", "b"),
        ("b.mm.grad_input", "grad_input", "b"),
        ("threshold_backward", "grad_input", ""),
        ("a.mm.grad_weight", "grad_weight", "a"),
        ("a.weight.SGD.step", "optimizer", "a"),
        ("b.weight.SGD.step", "optimizer", "b"),
    ]


def test_true_dependences_of_a_known_step():
    # a.mm relu b.mm sum seed gb gx relu' ga  update(a) update(b)
    assert tiny_step(lambda p: torch.optim.SGD(p, lr=0.1, foreach=False)).dependences() == [
        set(), {0}, {1}, {2}, set(), {1, 4}, {4}, {1, 6}, {7}, {8}, {5}
    ]  # fmt: skip


def test_roles_of_a_known_step():
    roles = {o.name: {p.name: p.role for p in o.operands} for o in tiny_step().operators}
    assert roles["a.mm"] == {"input": "activation", "weight": "parameter", "output": "activation"}
    assert roles["b.mm.grad_weight"] == {"input": "activation", "weight": "gradient", "output": "gradient"}
    assert roles["a.mm.grad_weight"] == {"input": "activation", "weight": "gradient", "output": "gradient"}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizer_works_on_every_parameter_in_every_form(optimizer):
    step = run(small_resnet, images, OPTIMIZERS[optimizer], fake=True)
    update = [o for o in step.workload.operators if o.phase == "optimizer"]
    names = {f"{name}": p.numel() for name, p in step.model.named_parameters()}
    assert {o.module for o in update} == {name.rpartition(".")[0] for name in names}
    written = [p for o in update for p in o.operands if p.access == "write" and p.role == "parameter"]
    assert len({p.tensor.split(".")[0] for p in written}) == len(names)
    last = {p.tensor.split(".")[0]: p.elements for p in written}
    assert sum(last.values()) == sum(names.values())


@pytest.mark.parametrize(
    ("optimizer", "per_parameter"),
    [("sgd", 1), ("sgd-momentum", 4), ("sgd-momentum-foreach", 4), ("sgd-momentum-fused", 1), ("adam", 8),
     ("adamw", 9), ("adamw-foreach", 9), ("adamw-fused", 2)],
)  # fmt: skip
def test_optimizer_operator_counts(optimizer, per_parameter):
    step = run(small_resnet, images, OPTIMIZERS[optimizer], fake=True)
    parameters = len(list(step.model.parameters()))
    workload = step.capture.workload(name="step", level="aten", **step.told)
    assert Counter(o.phase for o in workload.operators)["optimizer"] == per_parameter * parameters
    assert Counter(o.phase for o in step.workload.operators)["optimizer"] == parameters


@pytest.mark.parametrize("optimizer", ["sgd-momentum", "adamw-foreach", "adamw-fused"])
@pytest.mark.parametrize(("make", "data"), [(small_resnet, images), (small_decoder, sentences)])
def test_real_and_fake_steps_are_equal(make, data, optimizer):
    real, fake = (run(make, data, OPTIMIZERS[optimizer], fake=fake).workload for fake in (False, True))
    assert real == fake


def test_dependences_point_back_and_reach_every_update():
    workload = run(small_decoder, sentences, OPTIMIZERS["adamw-fused"], fake=True).workload
    edges = workload.dependences()
    assert all(source < index for index, sources in enumerate(edges) for source in sources)
    depends: list[set[int]] = []
    for sources in edges:
        depends.append(sources.union(*(depends[s] for s in sources)))
    loss = next(i for i, o in enumerate(workload.operators) if o.source == "aten::nll_loss_backward")
    updates = [i for i, o in enumerate(workload.operators) if o.source == "AdamW.step"]
    assert updates
    assert all(loss in depends[update] for update in updates)


def test_a_partial_write_keeps_the_dependence_on_the_rest():
    x = torch.zeros(4)
    with StepCapture() as capture:
        y = x + 1
        y[:2].copy_(x[:2])
        y * 2
    workload = capture.workload(name="partial", inputs=x)
    assert [o.source for o in workload.operators] == ["aten::add", "aten::copy_", "aten::mul"]
    assert workload.dependences() == [set(), {0}, {1}]
    kept = workload.operators[1].operand("kept")
    assert (kept.bits, kept.tensor) == (0, workload.operators[0].written.tensor)


def test_batch_norm_writes_its_statistics():
    torch.manual_seed(0)
    model, x = nn.BatchNorm2d(3), torch.randn(2, 3, 4, 4)
    with StepCapture() as capture:
        model(x)
    norm = next(o for o in capture.workload(name="norm").operators if o.source == "aten::native_batch_norm")
    assert {o.name for o in norm.operands if o.access == "write"} == {"out", "running_mean", "running_var"}
    model.eval()
    with StepCapture() as capture:
        model(x)
    (norm,) = capture.workload(name="norm").operators
    assert {o.name for o in norm.operands if o.access == "write"} == {"out"}
    assert norm.arithmetic == {"add": 1, "mult": 1}


def test_gradients_dropped_within_the_step_are_recognised():
    torch.manual_seed(0)
    model, x = Tiny(), torch.randn(5, 3)
    with StepCapture() as capture:
        model(x).sum().backward()
        model.zero_grad()
    phases = [o.phase for o in capture.workload(name="dropped", model=model).operators]
    assert phases.count("grad_weight") == 2


def test_accumulated_gradients_keep_their_module():
    torch.manual_seed(0)
    model, x = Tiny(), torch.randn(5, 3)
    model(x).sum().backward()
    with StepCapture() as capture:
        model(x).sum().backward()
    added = [o for o in capture.workload(name="again").operators if o.source == "aten::add_"]
    assert [(o.module, o.phase) for o in added] == [("b", "grad_weight"), ("a", "grad_weight")]


def test_work_on_gradients_outside_of_the_optimizer_belongs_to_it():
    torch.manual_seed(0)
    model, x = Tiny(), torch.randn(5, 3)
    with StepCapture() as capture:
        model(x).sum().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    operators = capture.workload(name="clip").operators
    last = max(i for i, o in enumerate(operators) if o.phase == "grad_weight")
    assert len(operators) > last + 5
    assert {o.phase for o in operators[last + 1 :]} == {"optimizer"}
    assert {o.phase for o in operators[:last]} == {"forward", "grad_input", "grad_weight"}


def test_recomputed_forward_is_forward():
    torch.manual_seed(0)
    model, x = Tiny(), torch.randn(5, 3)
    with StepCapture() as capture:
        checkpoint(model, x, use_reentrant=False).sum().backward()
    phases = [(o.name, o.phase) for o in capture.workload(name="recomputed").operators]
    assert phases.count(("a.mm", "forward")) == 1
    assert ("a.mm#2", "forward") in phases
    assert ("a.mm.grad_weight", "grad_weight") in phases


def test_autocast_weight_gradients_are_grad_weight():
    torch.manual_seed(0)
    model, x = Tiny(), torch.randn(5, 3)
    with StepCapture() as capture:
        with torch.autocast("cpu", torch.bfloat16):
            y = model(x)
        y.float().sum().backward()
    operators = {o.name: o for o in capture.workload(name="autocast").operators}
    assert operators["a.mm"].operand("weight").format == "bf16"
    assert operators["a.mm"].operand("weight").role == "parameter"
    assert operators["a.mm.grad_weight"].phase == "grad_weight"
    assert operators["a.to_copy.grad_weight"].phase == "grad_weight"


def test_paths_of_modules_without_a_told_model():
    torch.manual_seed(0)
    one, two, x = nn.Linear(3, 4), Tiny(), torch.randn(5, 3)
    with StepCapture() as capture:
        two(one(x)[:, :3])
    assert [o.module for o in capture.workload(name="two").operators] == ["Linear", "Tiny.a", "Tiny", "Tiny.b"]
    with StepCapture() as capture:
        two(x)
    assert [o.module for o in capture.workload(name="one").operators] == ["a", "", "b"]


def test_a_module_that_no_model_holds_has_its_class_as_path():
    torch.manual_seed(0)
    model, x, y = Tiny(), torch.randn(5, 3), torch.zeros(5, 2)
    with StepCapture() as capture:
        nn.MSELoss()(model(x), y)
    assert capture.workload(name="loss", model=model).operators[-1].module == "MSELoss"


def test_starts_and_stops_inside_hooks():
    torch.manual_seed(0)
    model, x = Tiny(), torch.randn(5, 3)
    capture = StepCapture()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, foreach=False)
    begin = model.register_forward_pre_hook(lambda module, args: capture.start(inside=module))
    end = optimizer.register_step_post_hook(lambda *args: capture.stop())
    model(x).sum().backward()
    optimizer.step()
    begin.remove()
    end.remove()
    model(x)  # not captured
    told = {"name": "hooked", "model": model, "optimizers": [optimizer], "inputs": x}
    assert [o.name for o in capture.workload(**told).operators] == [
        o.name for o in tiny_step(lambda p: torch.optim.SGD(p, lr=0.1, foreach=False)).operators
    ]


def test_an_exception_leaves_no_hooks_behind():
    model = Tiny()
    capture = StepCapture()
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"), capture:
        model(torch.randn(5, 4))
    assert not nn.modules.module._global_forward_hooks
    assert not nn.modules.module._global_forward_pre_hooks


def test_capture_must_have_ended_and_seen_something():
    capture = StepCapture()
    with capture, pytest.raises(HwsimError, match=r"^the capture is still running: stop it first$"):
        capture.workload(name="early")
    with pytest.raises(HwsimError, match=r"^the capture of late saw no operator that computes or moves anything$"):
        capture.workload(name="late")


def test_sparse_tensors_are_refused():
    with (
        StepCapture(),
        pytest.raises(HwsimError, match=r"^a torch.sparse_coo tensor cannot be traced: its storage has no single"),
    ):
        torch.eye(2).to_sparse()


def test_tensors_are_not_kept_alive():
    storages = []
    with StepCapture():
        x = torch.zeros(1000)
        reference = torch.multiprocessing.reductions.StorageWeakRef(x.untyped_storage())
        storages.append(reference)
        del x
        assert reference.expired()
