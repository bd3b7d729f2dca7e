"""Normal forms of traced steps: decompositions and optimizer forms that compute the same become the same."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hwsim.errors import InputError
from hwsim.trace import trace
from hwsim.workload.fused import fuse
from hwsim.workload.merged import operations
from tests.trace.steps import OPTIMIZERS, images, run, sentences, small_decoder, small_resnet

X = torch.zeros(2, 8, 16)


class RMSNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(16))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


class LayerNorm(RMSNorm):
    def forward(self, x):
        centred = x - x.mean(-1, keepdim=True)
        return centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt() * self.weight


class Softmax(nn.Module):
    def forward(self, x):
        raised = (x - x.amax(-1, keepdim=True)).exp()
        return raised / raised.sum(-1, keepdim=True)


class Gelu(nn.Module):
    def forward(self, x):
        return 0.5 * x * (1 + torch.tanh(0.7978845608 * (x + 0.044715 * x**3)))


class Silu(nn.Module):
    def forward(self, x):
        return x * x.sigmoid()


def step(layer, level="fused", **options):
    """A layer between two linear ones, so that its input and output have other modules."""
    model = nn.Sequential(nn.Linear(16, 16), layer, nn.Linear(16, 16))
    return trace(model, X, level=level, **options)


def of_layer(work):
    return [(o.phase, o.primitive) for o in work.operators if o.module == "1" and o.phase != "optimizer"]


@pytest.mark.parametrize("layer", [RMSNorm, LayerNorm, Softmax, Gelu, Silu])
def test_a_decomposed_layer_is_one_operator(layer):
    (operator,) = [o for o in step(layer()).operators if o.module == "1"]
    moved = Counter((o.access, o.role, o.shape) for o in operator.operands)
    weight = {("read", "parameter", (16,)): 1} if isinstance(layer(), RMSNorm) else {}
    assert moved == {("read", "activation", (2, 8, 16)): 1, ("write", "activation", (2, 8, 16)): 1} | weight
    assert operator.name == "1.fused"


@pytest.mark.parametrize("layer", [RMSNorm, LayerNorm, Softmax, Gelu, Silu])
def test_a_decomposed_layer_in_training_is_one_operator_a_phase(layer):
    """The product that only the sum for the weight's gradient reads belongs to another phase than that sum."""
    weighted = isinstance(layer(), RMSNorm)
    found = [kind for kind in of_layer(step(layer(), optimizer=OPTIMIZERS["adamw"])) if kind[1] == "elementwise"]
    assert Counter(phase for phase, _ in found) == Counter(
        {"forward": 1, "grad_input": 1 + weighted, "grad_weight": int(weighted)}
    )


def same(work):
    """All that a cost or a schedule depends on: everything but the ATen names."""
    told = [(o.name, o.phase, o.module, o.count, o.signature) for o in work.operators]
    return told, work.dependences()


@pytest.mark.parametrize(("make", "data"), [(small_resnet, images), (small_decoder, sentences)])
@pytest.mark.parametrize("family", [("sgd-momentum", "", "-foreach", "-fused"), ("adamw", "", "-foreach", "-fused")])
def test_every_form_of_an_optimizer_is_the_same(make, data, family):
    name, *forms = family
    fused = [fuse(run(make, data, OPTIMIZERS[name + form], fake=True).workload) for form in forms]
    assert all(same(one) == same(other) for one, other in combinations(fused, 2))
    updates = [o for o in fused[0].operators if o.phase == "optimizer"]
    assert len(updates) == len(list(make().parameters()))
    assert {o.name.partition("#")[0].rpartition(".")[2] for o in updates} == {"update"}


def test_an_update_reads_and_writes_each_tensor_once():
    work = step(nn.Identity(), optimizer=OPTIMIZERS["adamw"])
    weight = next(o for o in work.operators if o.name == "0.update")
    assert Counter((o.access, o.role, o.elements) for o in weight.operands) == {
        ("read", "parameter", 256): 1, ("read", "gradient", 256): 1, ("read", "state", 256): 2, ("read", "state", 1): 1,
        ("write", "parameter", 256): 1, ("write", "state", 256): 2, ("write", "state", 1): 1,
    }  # fmt: skip
    assert {kind: times * weight.points for kind, times in weight.arithmetic.items()} == {
        "add": 13 * 256 + 1, "mult": 16 * 256,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("make", "data", "optimizer"),
    [(small_resnet, images, "sgd-momentum"), (small_decoder, sentences, "adamw"), (small_decoder, sentences, "adam")],
)
def test_what_fusing_a_real_step_conserves(make, data, optimizer):
    step = run(make, data, OPTIMIZERS[optimizer], fake=True)
    work = step.capture.workload(name="step", level="aten", **step.told)
    fused = fuse(work)
    assert operations(fused.operators) == operations(work.operators)
    assert [o for o in fused.operators if o.primitive != "elementwise"] == [
        o for o in work.operators if o.primitive != "elementwise"
    ]
    assert first_reads(fused) == first_reads(work)
    assert fuse(fused) == fused
    assert sum(o.bits_moved for o in fused.operators) < 0.9 * sum(o.bits_moved for o in work.operators)
    assert len(fused.operators) < 0.65 * len(work.operators)


def first_reads(work):
    written, first = set(), set()
    for operator in work.operators:
        first |= {o.tensor for o in operator.operands if o.access == "read"} - written
        written |= {o.tensor for o in operator.operands if o.access == "write"}
    return first


def test_casts_stay():
    class Cast(nn.Module):
        def forward(self, x):
            return (x * 2).bfloat16().float() * 3

    assert of_layer(step(Cast())) == [("forward", p) for p in ("elementwise", "copy", "copy", "elementwise")]


def test_a_constant_of_one_number_is_no_operand_but_an_accumulator_is():
    class Sum(nn.Module):
        def forward(self, x):
            total = torch.tensor(0.0)
            total += x.sum()
            return x * torch.tensor(2.0) + total

    operators = [o for o in step(Sum(), level="aten").operators if o.module == "1"]
    reads = [[o.elements for o in operator.operands if o.access == "read"] for operator in operators]
    assert reads == [[256], [1, 1], [256], [256, 1]]


def test_level_is_one_of_two():
    with pytest.raises(InputError, match=r"^level: must be aten, update or fused, not 'fx'$"):
        trace(nn.Linear(2, 2), torch.zeros(1, 2), level="fx")


def test_aten_is_the_default():
    def traced(**level):
        return trace(RMSNorm(), X, loss=lambda y: F.mse_loss(y, X), **level)

    assert traced() == traced(level="update")
    assert fuse(traced()) == traced(level="fused")
