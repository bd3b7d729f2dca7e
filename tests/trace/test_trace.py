"""``hwsim.trace``: a step from a model, its inputs, a loss and an optimizer; nothing of the caller's is changed."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F

import hwsim
from hwsim.errors import HwsimError, InputError, UnknownOperatorError
from hwsim.trace import trace
from hwsim.workload import Workload
from tests.trace.steps import OPTIMIZERS, images, run, small_resnet


class Gate(nn.Module):
    """Its control flow depends on data."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x):
        return self.layer(x) if x.sum() > 0 else x


class Strange(nn.Module):
    """Calls an operator that nobody lowers."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x):
        return torch.linalg.inv_ex(self.layer(x))[0]


def phases(workload):
    return {operator.phase for operator in workload.operators}


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


def test_forward_only():
    workload = trace(nn.Linear(3, 4), torch.zeros(5, 3))
    assert (workload.name, workload.samples, workload.macs) == ("Linear", 5, 60)
    assert phases(workload) == {"forward"}


def test_the_package_can_be_called():
    assert hwsim.trace(nn.Linear(3, 4), torch.zeros(5, 3)) == trace(nn.Linear(3, 4), torch.zeros(5, 3))


def test_forward_and_backward():
    workload = trace(nn.Linear(3, 4), torch.zeros(5, 3), loss=lambda y: F.mse_loss(y, torch.zeros(5, 4)))
    assert phases(workload) == {"forward", "grad_input", "grad_weight"}
    assert "aten::mse_loss" in [o.source for o in workload.operators]


def test_a_loss_may_hold_real_tensors_and_views_of_them():
    target = torch.zeros(4, 5)
    workload = trace(nn.Linear(3, 4), torch.zeros(5, 3), loss=lambda y: F.mse_loss(y, target.t()))
    loss = next(o for o in workload.operators if o.source == "aten::mse_loss")
    assert loss.operand("target").shape == (5, 4)
    assert loss.operand("target").tensor.endswith(".0")
    assert not [o for o in workload.operators if o.source == "aten::t"]


def test_the_default_loss_is_the_mean():
    workload = trace(nn.Linear(3, 4), torch.zeros(5, 3), optimizer=sgd, name="step", samples=7)
    assert phases(workload) == {"forward", "grad_input", "grad_weight", "optimizer"}
    assert next(o.source for o in workload.operators if o.module == "loss") == "aten::mean"
    assert (workload.name, workload.samples) == ("step", 7)


def test_a_default_loss_needs_one_tensor():
    message = r"^loss: must be given for a model that does not return one tensor, not None$"
    with pytest.raises(InputError, match=message):
        trace(nn.LSTMCell(3, 4), torch.zeros(5, 3), optimizer=sgd)


def test_steps_are_steady():
    """The first step creates the momentum; the second, which is kept, updates it."""
    workload = trace(nn.Linear(3, 4), torch.zeros(5, 3), optimizer=sgd)
    assert not [o for o in workload.operators if o.phase == "optimizer" and o.primitive == "copy"]


@pytest.mark.parametrize("optimizer", ["sgd-momentum", "adamw", "adamw-fused"])
def test_an_optimizer_instance_is_like_a_function_that_makes_one(optimizer):
    model, x = nn.Linear(3, 4), torch.zeros(5, 3)
    instance = OPTIMIZERS[optimizer](model.parameters())
    assert trace(model, x, optimizer=instance) == trace(model, x, optimizer=OPTIMIZERS[optimizer])


@pytest.mark.parametrize("fake", [True, False])
def test_nothing_is_changed(fake):
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout()), torch.randn(5, 3)
    optimizer = torch.optim.AdamW(model.parameters(), foreach=False)
    model(x).sum().backward()
    optimizer.step()
    before = copy.deepcopy((model.state_dict(), optimizer.state_dict(), [p.grad for p in model.parameters()]))
    generator = torch.get_rng_state()
    trace(model, x, loss=lambda y: y.sum(), optimizer=optimizer, fake=fake)
    after = model.state_dict(), optimizer.state_dict(), [p.grad for p in model.parameters()]
    for old, new in zip(torch.utils._pytree.tree_leaves(before), torch.utils._pytree.tree_leaves(after), strict=True):
        assert type(old) is type(new)
        assert torch.equal(old, new) if isinstance(old, torch.Tensor) else old == new
    assert torch.equal(generator, torch.get_rng_state())
    assert next(model.parameters()) is optimizer.param_groups[0]["params"][0]


def test_real_and_fake_traces_are_equal():
    torch.manual_seed(0)
    model, (x, y) = small_resnet(), images()
    real, fake = (
        trace(model, x, loss=lambda scores: F.cross_entropy(scores, y), optimizer=sgd, fake=fake)
        for fake in (False, True)
    )
    assert real == fake
    assert real.macs == run(small_resnet, images, sgd, fake=True).workload.macs


@pytest.mark.parametrize("where", ["fake", "meta"])
def test_models_without_data(where):
    with FakeTensorMode() if where == "fake" else torch.device("meta"):
        model = nn.Linear(3, 4)
    x = torch.zeros(5, 3)
    assert trace(model, x, optimizer=sgd) == trace(nn.Linear(3, 4), x, optimizer=sgd)


def test_tensors_held_as_plain_attributes():
    model = nn.Linear(3, 4)
    model.mask = torch.ones(3)
    model.register_forward_pre_hook(lambda module, args: (args[0] * module.mask,))
    assert trace(model, torch.zeros(5, 3)).operators[0].source == "aten::mul"


def test_several_inputs_in_any_nesting():
    class Sum(nn.Module):
        def forward(self, pair, scale):
            return (pair["a"] + pair["b"]) * scale

    workload = trace(Sum(), ({"a": torch.zeros(4, 2), "b": torch.zeros(2)}, 3.0))
    assert [o.source for o in workload.operators] == ["aten::add", "aten::mul"]
    assert workload.samples == 4


def test_control_flow_on_data_names_the_operator():
    message = (
        r"^Gate calls aten\._local_scalar_dense\.default, whose result depends on the values of tensors: "
        r"trace with real tensors \(fake=False\)$"
    )
    with pytest.raises(HwsimError, match=message):
        trace(Gate(), torch.ones(2, 3))
    assert trace(Gate(), torch.ones(2, 3), fake=False).macs == 18
    with pytest.raises(HwsimError, match=r"^Nonzero calls aten\.nonzero\.default, whose result depends"):
        trace(type("Nonzero", (nn.Module,), {"forward": lambda self, x: x[x > 0]})(), torch.ones(3))


def test_unknown_operators_stop_by_name():
    message = (
        r"^aten::linalg_inv_ex has no lowering rule; it reads A fp32\[3, 3\] and writes out fp32\[3, 3\], "
        r"out int32\[\], in no module, phase forward; unknown='skip' leaves it out and reports it$"
    )
    with pytest.raises(UnknownOperatorError, match=message):
        trace(Strange(), torch.zeros(3, 3))


def test_unknown_operators_can_be_skipped(tmp_path):
    workload = trace(Strange(), torch.zeros(3, 3), unknown="skip")
    (skipped,) = workload.skipped
    assert (skipped.name, skipped.source, skipped.phase) == ("linalg_inv_ex", "aten::linalg_inv_ex", "forward")
    assert skipped.bits == 2 * 9 * 32 + 32
    assert Workload.load(workload.save(tmp_path / "strange.json")) == workload


def test_a_type_without_a_format_stops():
    model = type("Odd", (nn.Module,), {"forward": lambda self, x: x.to(torch.float8_e4m3fnuz)})()
    with pytest.raises(HwsimError, match=r"^torch\.float8_e4m3fnuz has no number format in hwsim; known are "):
        trace(model, torch.zeros(3))


def test_transformer_layers_in_evaluation_run_their_parts():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    workload = trace(layer, torch.zeros(2, 3, 8))
    assert {"linear1", "self_attn", "norm2"} <= {o.module for o in workload.operators}
    assert torch.backends.mha.get_fastpath_enabled()


def test_traced_workloads_survive_a_file(tmp_path):
    workload = trace(small_resnet(), images()[0], optimizer=sgd)
    assert Workload.load(workload.save(tmp_path / "step.json")) == workload


@pytest.mark.parametrize("fake", [True, False])
@pytest.mark.parametrize("part", ["module", "function"])
def test_what_is_compiled_is_traced_as_if_it_were_not(part, fake):
    class Part(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 4)
            self.function = torch.compile(self.wave, backend="eager") if part == "function" else self.wave

        @staticmethod
        def wave(x):
            return x.sin() + 1

        def forward(self, x):
            return self.function(self.layer(x))

    model = Part()
    compiled = torch.compile(model, backend="eager") if part == "module" else model
    workload = trace(compiled, torch.zeros(5, 3), optimizer=sgd, fake=fake)
    assert [o.source for o in workload.operators][:3] == ["aten::addmm", "aten::sin", "aten::add"]
    assert workload.macs == 2 * 60


def test_optimizers_that_need_a_closure():
    message = (
        r"^optimizer: must step without a closure; capture a step that has one with hwsim\.trace\.capture_step or "
        r"hwsim\.record, not 'LBFGS'$"
    )
    with pytest.raises(InputError, match=message):
        trace(nn.Linear(3, 4), torch.zeros(5, 3), optimizer=torch.optim.LBFGS)


def test_bags_of_embeddings_read_the_rows_they_sum():
    workload = trace(nn.EmbeddingBag(50, 8), torch.zeros(4, 6, dtype=torch.long), optimizer=sgd)
    bag = next(o for o in workload.operators if o.source == "aten::_embedding_bag")
    assert (bag.primitive, bag.points, bag.operand("weight").shape) == ("gather", 4 * 6 * 8, (24, 8))
    assert bag.arithmetic == {"add": 1}
