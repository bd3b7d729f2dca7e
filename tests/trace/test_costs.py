"""Arithmetic and traffic of lowered operators, against counts made by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hwsim.trace import StepCapture
from tests.trace.steps import OPTIMIZERS


def lowered(function, *arguments):
    with StepCapture() as capture:
        function(*arguments)
    return list(capture.workload(name="costs", inputs=arguments).operators)


def zeros(*shape):
    return torch.zeros(*shape)


def counted(operator):
    return operator.points, operator.arithmetic.get("add", 0), operator.arithmetic.get("mult", 0)


@pytest.mark.parametrize(
    ("function", "shape", "expected"),
    [
        (lambda x: x + 1, (2, 3), (6, 1, 0)),
        (lambda x: torch.add(x, x, alpha=2), (2, 3), (6, 1, 1)),
        (lambda x: x * x, (2, 3), (6, 0, 1)),
        (lambda x: x / 3, (2, 3), (6, 0, 1)),
        (lambda x: x / x.exp(), (2, 3), (6, 4, 5)),
        (lambda x: x**3, (2, 3), (6, 0, 2)),
        (lambda x: x**0.3, (2, 3), (6, 8, 8)),
        (lambda x: x.relu(), (2, 3), (6, 1, 0)),
        (lambda x: x.exp(), (2, 3), (6, 4, 4)),
        (lambda x: x.sum(0), (2, 3), (6, 1, 0)),
        (lambda x: x.expand(5, 2, 3).sum(), (2, 3), (30, 1, 0)),
        (lambda x: F.gelu(x), (2, 3), (6, 5, 7)),
        (lambda x: x.softmax(-1), (2, 3), (6, 7, 5)),
        (lambda x: F.max_pool2d(x.requires_grad_(), 2), (1, 3, 4, 4), (3 * 4 * 4, 1, 0)),
        (lambda x: F.avg_pool2d(x, 2), (1, 3, 4, 4), (3 * 4 * 4, 1, 0.25)),
        (lambda x: F.adaptive_avg_pool2d(x, 2), (1, 3, 4, 4), (3 * 4 * 4, 1, 0.25)),
        (lambda x: F.layer_norm(x, (3,)), (2, 3), (6, 4, 3)),
        (lambda x: F.batch_norm(x, None, None, training=True), (2, 3, 4, 4), (96, 4, 3)),
        (lambda x: torch.cat((x, x)), (2, 3), (12, 0, 0)),
        (lambda x: x.clone(), (2, 3), (6, 0, 0)),
        (lambda x: x.expand(5, 2, 3).clone(), (2, 3), (30, 0, 0)),
        (lambda x: x[[0, 1, 1]], (2, 3), (9, 0, 0)),
        (lambda x: torch.aminmax(x), (2, 3), (6, 2, 0)),
        (lambda x: torch.fake_quantize_per_tensor_affine(x, 0.5, 0, -8, 7), (2, 3), (6, 5, 2)),
        (lambda x: torch.fake_quantize_per_channel_affine(x, torch.ones(2), torch.zeros(2), 0, -8, 7), (2, 3), (6, 5, 2)),
    ],
)
def test_arithmetic_of_the_last_operator(function, shape, expected):
    assert counted(lowered(function, zeros(*shape))[-1]) == expected


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.t(),
        lambda x: x.view(-1),
        lambda x: x[0],
        lambda x: x.expand(4, 2, 3),
        lambda x: x.detach(),
        lambda x: x.reshape(3, 2),
        lambda x: x.chunk(2),
        lambda x: torch.empty_like(x),
    ],
)
def test_views_and_allocations_are_no_operators(view):
    assert [o.source for o in lowered(lambda x: (view(x), x.neg()), zeros(2, 3))] == ["aten::neg"]


def test_another_storage_is_no_operator():
    assert [o.source for o in lowered(lambda x: torch.empty(0).set_(x).exp(), zeros(2, 3))] == ["aten::exp"]


def test_views_are_the_same_tensor():
    first, second = lowered(lambda x: (x.t().neg(), x[0].neg()), zeros(2, 3))
    assert first.operand("self").tensor == second.operand("self").tensor


def test_broadcast_operands_keep_their_shape():
    (operator,) = lowered(lambda a, b: a + b, zeros(2, 3, 4), zeros(3, 1))
    assert operator.dims == {"x0": 2, "x1": 3, "x2": 4}
    assert (operator.operand("other").shape, operator.operand("other").projection) == ((3, 1), ("x1", "0"))
    assert operator.operand("out").projection == ("x0", "x1", "x2")
    (operator,) = lowered(lambda a, b: a + b, zeros(4), zeros(4, 1).expand(4, 4))
    assert operator.operand("other").shape == (4, 1)


def test_in_place_reads_one_version_and_writes_the_next():
    (operator,) = lowered(lambda x: x.add_(1), zeros(3))
    read, written = operator.operands
    assert (read.access, written.access) == ("read", "write")
    assert (read.tensor, written.tensor) == ("1.0", "1.1")


def test_overwriting_reads_nothing():
    (operator,) = lowered(lambda x: x.zero_(), zeros(3))
    assert [o.access for o in operator.operands] == ["write"]


def test_out_arguments_are_written_only():
    (operator,) = lowered(lambda x, y: torch.neg(x, out=y), zeros(3), zeros(3))
    assert [(o.name, o.access) for o in operator.operands] == [("self", "read"), ("out", "write")]


def test_gathers_read_what_they_take():
    (operator,) = lowered(F.embedding, torch.zeros(5, dtype=torch.long), zeros(1000, 8))
    shapes = {o.name: (o.shape, o.format, o.role) for o in operator.operands}
    assert shapes["weight"] == ((5, 8), "fp32", "activation")
    assert shapes["indices"] == ((5,), "int64", "index")
    assert operator.primitive == "gather"


def test_embedding_gradients_are_dense():
    torch.manual_seed(0)
    table = nn.Embedding(100, 8)
    with StepCapture() as capture:
        table(torch.zeros(5, dtype=torch.long)).sum().backward()
    operator = capture.workload(name="embedding").operators[-1]
    assert (operator.points, operator.operand("out").shape, operator.phase) == (40, (100, 8), "grad_weight")


def test_index_put_counts_values():
    index = torch.tensor([0, 2])
    (operator,) = lowered(lambda x, i, v: x.index_put_((i,), v, accumulate=True), zeros(9), index, zeros(2))
    assert (operator.points, operator.arithmetic) == (2, {"add": 1})


def test_losses_pick_one_score_per_target():
    scores, target = zeros(4, 10), torch.zeros(4, dtype=torch.long)
    operator = lowered(F.nll_loss, scores, target)[0]
    assert (operator.points, operator.operand("self").shape, operator.primitive) == (4, (4,), "gather")


def test_windows_read_where_they_are():
    operator = lowered(lambda x: F.max_pool2d(x.requires_grad_(), 3, 2, 1), zeros(1, 3, 8, 8))[0]
    assert operator.dims == {"n0": 1, "n1": 3, "p0": 4, "p1": 4, "r0": 3, "r1": 3}
    assert operator.operand("self").projection == ("n0", "n1", "2*p0 + 1*r0 - 1", "2*p1 + 1*r1 - 1")
    assert operator.operand("indices").projection == ("n0", "n1", "p0", "p1")


@pytest.mark.parametrize(
    ("optimizer", "adds", "mults"),
    [("sgd", 1, 1), ("sgd-momentum", 3, 3), ("sgd-momentum-foreach", 3, 3), ("sgd-momentum-fused", 3, 3),
     ("adam", 13, 15), ("adamw", 13, 16), ("adamw-foreach", 13, 16), ("adamw-fused", 13, 16)],
)  # fmt: skip
def test_optimizer_arithmetic_per_parameter(optimizer, adds, mults):
    """The loop, foreach and fused forms of an optimizer compute the same."""
    torch.manual_seed(0)
    model = nn.Linear(30, 20, bias=False)
    update = OPTIMIZERS[optimizer](model.parameters())
    for _ in range(2):
        model.weight.grad = zeros(20, 30)
        with StepCapture() as capture:
            update.step()
    operators = capture.workload(name="update", model=model, optimizers=[update], level="aten").operators
    total = [
        sum(o.points * o.arithmetic.get(kind, 0) for o in operators if o.points > 1) / 600 for kind in ("add", "mult")
    ]
    assert total == [adds, mults]


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW])
@pytest.mark.parametrize("options", [{"weight_decay": 0.1}, {"weight_decay": 0.0, "amsgrad": True}])
def test_fused_adam_is_counted_like_its_loop(kind, options):
    def arithmetic(**form):
        torch.manual_seed(0)
        model = nn.Linear(30, 20, bias=False)
        update = kind(model.parameters(), **options, **form)
        model.weight.grad = zeros(20, 30)
        update.step()
        with StepCapture() as capture:
            update.step()
        operators = capture.workload(name="update", model=model, optimizers=[update]).operators
        return [
            sum(o.points * o.arithmetic.get(kind, 0) for o in operators if o.points > 1) for kind in ("add", "mult")
        ]

    assert arithmetic(fused=True) == arithmetic(foreach=False)


def test_fused_optimizers_do_not_write_gradients():
    torch.manual_seed(0)
    model = nn.Linear(3, 2, bias=False)
    update = torch.optim.AdamW(model.parameters(), fused=True)
    model.weight.grad = zeros(2, 3)
    with StepCapture() as capture:
        update.step()
    fused = capture.workload(name="update", model=model, optimizers=[update], level="aten").operators[-1]
    assert {o.name for o in fused.operands if o.access == "write"} == {"self", "exp_avgs", "exp_avg_sqs"}
    assert fused.operand("grads").role == "gradient"
    assert fused.operand("exp_avgs").role == "state"
