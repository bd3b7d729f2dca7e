"""Operators that only move data: copies, fills, casts, gathers; and those that do not even move any."""

from __future__ import annotations

from collections.abc import Mapping

from hwsim.trace.lowering.call import Call
from hwsim.trace.lowering.pointwise import Cost, Rule, cost, nothing, over_largest
from hwsim.trace.records import TensorRef
from hwsim.workload.operator import Operand, Operator

_NOTHING = (
    "detach", "lift_fresh", "lift_fresh_copy", "_local_scalar_dense", "empty", "empty_like",
    "empty_strided", "new_empty", "new_empty_strided", "set",
)  # fmt: skip
_COPIES = (
    "clone", "copy", "_to_copy", "cat", "stack", "zeros", "ones", "full", "zeros_like", "ones_like",
    "full_like", "new_zeros", "new_ones", "new_full", "zero", "fill", "scalar_tensor", "arange", "linspace",
    "eye", "constant_pad_nd", "roll", "flip", "repeat", "select_backward", "slice_backward", "rand",
    "randn", "randint", "rand_like", "randn_like", "randint_like", "randperm", "tril", "triu",
    "select_scatter", "slice_scatter", "unfold_backward", "reflection_pad1d", "reflection_pad2d",
    "replication_pad2d", "upsample_nearest2d", "pixel_shuffle", "pixel_unshuffle", "im2col",
)  # fmt: skip


def _gather(table: str, index: str) -> Rule:
    """Read the elements of ``table`` that ``index`` names: as many as the result has, not the whole table."""

    def rule(call: Call) -> list[Operator]:
        result = call.result
        source = call.operand(table, call[table], shape=result.shape)
        positions = [call.operand(index, ref) for ref in _indices(call[index])]
        return _moved(call, result.elements, [source, *positions, call.operand("out", result, "write")], cost())

    return rule


def _scatter(values: str, index: str, add: float) -> Rule:
    """Write the elements of ``values`` where ``index`` says; what is not overwritten is copied or zero."""

    def rule(call: Call) -> list[Operator]:
        source = call[values]
        price = cost(add=1 if call.record.arguments.get("accumulate") else add)
        if not isinstance(source, TensorRef):  # one number everywhere
            return _moved(call, max(ref.elements for ref in _indices(call[index])), list(call.operands()), price)
        return _moved(call, source.elements, list(call.operands()), price)

    return rule


def _bags(call: Call) -> list[Operator]:
    """Sum the rows of a table that belong to the same bag."""
    rows, width = call["indices"].elements, call["weight"].shape[1]
    source = call.operand("weight", call["weight"], shape=(rows, width))
    rest = [operand for operand in call.operands() if operand.name != "weight"]
    return _moved(call, rows * width, [source, *rest], cost(add=1))


def _bags_backward(call: Call) -> list[Operator]:
    points = call["indices"].elements * call["grad"].shape[1]
    return _moved(call, points, list(call.operands()), cost(add=1))


def _moved(call: Call, points: int, operands: list[Operand], price: Cost) -> list[Operator]:
    if not points:
        return []
    return [
        call.operator(primitive="gather", dims={"x": points}, operands=tuple(operands), arithmetic=dict(price))
    ]


def _indices(value: object) -> list[TensorRef]:
    values = value if isinstance(value, tuple) else (value,)
    return [ref for ref in values if isinstance(ref, TensorRef)]


def _picked(call: Call) -> list[Operator]:
    """Negative log likelihood: one value per target."""
    target = call["target"]
    source = call.operand("self", call["self"], shape=target.shape)
    rest = [operand for operand in call.operands() if operand.name != "self"]
    return _moved(call, target.elements, [source, *rest], cost(add=1))


RULES: Mapping[str, Rule] = {
    **{f"aten::{name}": nothing for name in _NOTHING},
    **{f"aten::{name}": over_largest(cost(), "copy") for name in _COPIES},
    "aten::embedding": _gather("weight", "indices"),
    "aten::_embedding_bag": _bags,
    "aten::_embedding_bag_backward": _bags_backward,
    "aten::_embedding_bag_dense_backward": _bags_backward,
    "aten::index_select": _gather("self", "index"),
    "aten::gather": _gather("self", "index"),
    "aten::index": _gather("self", "indices"),
    "aten::_unsafe_index": _gather("self", "indices"),
    "aten::masked_select": _gather("self", "mask"),
    "aten::embedding_dense_backward": _scatter("grad_output", "indices", add=1),
    "aten::index_put": _scatter("values", "indices", add=0),
    "aten::_index_put_impl": _scatter("values", "indices", add=0),
    "aten::_unsafe_index_put": _scatter("values", "indices", add=0),
    "aten::index_add": _scatter("source", "index", add=1),
    "aten::scatter_add": _scatter("src", "index", add=1),
    "aten::scatter": _scatter("src", "index", add=0),
    "aten::nll_loss_forward": _picked,
    "aten::nll_loss2d_forward": _picked,
    "aten::nll_loss_backward": over_largest(cost(), "gather"),
    "aten::nll_loss2d_backward": over_largest(cost(), "gather"),
}
