"""Operators as facts change them, against the operators of smaller or masked models."""

import pytest
import torch
from torch import nn

import hwsim
from hwsim.training.facts import Facts
from hwsim.training.varied import varied


def operators(model, *shape):
    return hwsim.trace(model, torch.empty(*shape), loss=lambda y: y.sum()).operators


def shapes(operator):
    return dict(operator.dims), [(o.name, o.shape) for o in operator.operands]


@pytest.fixture(scope="module")
def attention():
    return nn.TransformerEncoderLayer(24, 3, 40, batch_first=True, dropout=0.0)


def test_tokens_make_the_products_of_a_shorter_sequence(attention):
    long, short = operators(attention, 2, 11, 24), operators(attention, 2, 5, 24)
    for one, other in zip(long, short, strict=True):
        if one.is_contraction:
            assert shapes(varied(one, Facts(tokens=(5, 11)))) == shapes(other), one.name
        elif one.phase == "forward":
            found = varied(one, Facts(tokens=(5, 11)))
            assert found.points == other.points, one.name
            assert found.bits_moved == other.bits_moved, one.name


def test_heads_thin_out_the_products_between_activations_only(attention):
    for one in operators(attention, 2, 11, 24):
        found = varied(one, Facts(heads=(1, 3)))
        if one.is_contraction and one.module == "self_attn" and one.operand("weight").role == "activation":
            assert found.macs * 3 == one.macs
        elif one.is_contraction and one.operand("weight").role == "parameter":
            assert found == one


def test_formats_go_by_role_and_leave_the_optimizer():
    model = nn.Linear(4, 3)
    facts = Facts(weights=2, activations="fp8_e4m3", gradients=6)
    step = hwsim.trace(
        nn.Sequential(model), torch.empty(5, 4), loss=lambda y: y.sum(), optimizer=lambda p: torch.optim.SGD(p, lr=1)
    )
    formats = {
        (o.phase, operand.name): operand.format
        for o in step.operators for operand in varied(o, facts).operands if o.is_contraction
    }  # fmt: skip
    assert formats == {
        ("forward", "input"): "fp8_e4m3", ("forward", "weight"): "int2", ("forward", "output"): "fp8_e4m3",
        ("forward", "bias"): "fp32", ("grad_weight", "input"): "fp8_e4m3", ("grad_weight", "weight"): "int6",
        ("grad_weight", "output"): "int6",
    }  # fmt: skip
    for operator in step.operators:
        if operator.phase == "optimizer":
            assert varied(operator, facts) == operator


def test_what_is_read_may_have_other_formats_than_what_is_written():
    facts = Facts(activations=8, gradients=6, reads=4, errors=3)
    found = [
        (operator.phase, [(operand.access, operand.format) for operand in varied(operator, facts).operands if operand.name != "bias"])
        for operator in operators(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3)), 5, 4)
        if operator.is_contraction and operator.module == "1"
    ]  # fmt: skip
    assert found == [
        ("forward", [("read", "int4"), ("read", "fp32"), ("write", "int8")]),
        ("grad_input", [("write", "int6"), ("read", "fp32"), ("read", "int3")]),
        ("grad_weight", [("read", "int4"), ("write", "int6"), ("read", "int3")]),
    ]


def test_a_mask_is_on_the_weight_and_its_gradient():
    facts = Facts(density=0.25, structure="channel")
    for operator in operators(nn.Sequential(nn.Conv2d(2, 3, 3), nn.Conv2d(3, 2, 3)), 1, 2, 8, 8):
        for operand in varied(operator, facts).operands:
            masked = operator.is_contraction and operand.name == "weight"
            assert (operand.density, operand.density_structure) == ((0.25, "channel") if masked else (1.0, "dense"))


def test_edges_thin_out_compressed_rows():
    from hwsim.workload.contraction import matmul

    dense = matmul("m", rows=8, inner=8, columns=4)
    graph = dense.operands[0].model_copy(update={"density": 0.5, "density_structure": "csr"})
    sparse = dense.model_copy(update={"operands": (graph, *dense.operands[1:])})
    assert [o.density for o in varied(sparse, Facts(edges=(3, 12))).operands] == [0.125, 1.0, 1.0]
    assert varied(dense, Facts(edges=(3, 12))) == dense


def test_rows_of_a_graph_are_kept_like_tokens():
    (one,) = (o for o in operators(nn.Linear(4, 3), 20, 4) if o.phase == "forward" and o.is_contraction)
    assert varied(one, Facts(rows=(5, 20))).macs == one.macs // 4


def test_facts_inside_others():
    outer = Facts(share=0.5, weights=4, executed=0.5, density=0.1, structure="channel")
    inner = Facts(share=0.5, weights=8, executed=0.5)
    assert inner.within(outer) == Facts(share=0.25, weights=8, executed=0.25, density=0.1, structure="channel")
    assert Facts().within(outer) == outer
    assert outer.plain == Facts(weights=4, density=0.1, structure="channel")


def test_sizes_of_weights_are_never_tokens():
    for one in operators(nn.Linear(8, 8), 5, 8):
        if one.is_contraction:
            assert varied(one, Facts(tokens=(4, 8))) == one
