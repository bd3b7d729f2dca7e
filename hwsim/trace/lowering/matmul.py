"""Matrix products and, in the backward pass, their gradients."""

from __future__ import annotations

from collections.abc import Mapping

from hwsim.trace.lowering.call import Call
from hwsim.trace.lowering.pointwise import Rule
from hwsim.trace.records import TensorRef
from hwsim.workload.contraction import matmul
from hwsim.workload.operator import Operand, Operator


def product(call: Call, a: TensorRef, b: TensorRef, result: TensorRef, part: str = "") -> Operator:
    """Lower ``result = a @ b``, the last two axes being the matrices.

    In the backward pass, where one factor is a gradient, the result is the gradient of an operand of the forward
    product: it gets that product's dimensions and writes ``input`` or ``weight``.
    """
    batch, rows, inner, columns = _sizes(a, b)
    fields = call.fields(result, part)
    gradients = [call.step.phases.is_gradient(ref) for ref in (a, b)]
    if not call.record.backward or gradients[0] == gradients[1]:
        return matmul(
            batch=batch, rows=rows, inner=inner, columns=columns, **call.triple(a, b, result), **fields
        )
    gradient, other = (a, b) if gradients[0] else (b, a)
    outer, kept = (rows, columns) if gradients[0] else (columns, rows)
    if fields["phase"] == "grad_weight":  # weight[m,c] = sum over n of output[n,m] * input[n,c]
        return matmul(
            batch=batch, rows=inner, inner=kept, columns=outer, writes="weight",
            **call.triple(other, result, gradient), **fields,
        )  # fmt: skip
    # input[n,c] = sum over m of output[n,m] * weight[m,c]
    return matmul(
        batch=batch, rows=outer, inner=kept, columns=inner, writes="input",
        **call.triple(result, other, gradient), **fields,
    )  # fmt: skip


def with_bias(call: Call, operator: Operator, bias: TensorRef, axes: tuple[str, ...]) -> Operator:
    """Add ``bias`` as a further operand that a contraction reads; its axes are the last of ``axes``."""
    last = axes[len(axes) - len(bias.shape) :] if axes else ()
    projection = tuple("0" if size == 1 else axis for size, axis in zip(bias.stored_shape, last, strict=False))
    return with_operand(operator, call.operand("bias", bias, projection=projection))


def with_operand(operator: Operator, operand: Operand) -> Operator:
    """Return the operator with one more operand."""
    return Operator.model_validate(dict(operator) | {"operands": (*operator.operands, operand)})


def _sizes(a: TensorRef, b: TensorRef) -> tuple[int, int, int, int]:
    batch = a.shape[0] if len(a.shape) == 3 else 1
    rows = a.shape[-2] if len(a.shape) > 1 else 1
    columns = b.shape[-1] if len(b.shape) > 1 else 1
    if batch > 1 and b.stride[0] == 0:  # one weight for the whole batch
        return 1, batch * rows, a.shape[-1], columns
    if batch > 1 and a.stride[0] == 0:
        return 1, rows, a.shape[-1], batch * columns
    return batch, rows, a.shape[-1], columns


def _plain(first: str, second: str) -> Rule:
    def rule(call: Call) -> list[Operator]:
        a, b = call[first], call[second]
        return [product(call, a, b, call.result)] if a.elements * b.elements else []

    return rule


def _biased(first: str, second: str) -> Rule:
    def rule(call: Call) -> list[Operator]:
        a, b, bias = call[first], call[second], call["self"]
        if not a.elements * b.elements:
            return []
        operator = product(call, a, b, call.result)
        if call.record.arguments.get("beta", 1) == 0:
            return [operator]
        axes = ("g", "n", "m") if operator.written.name == "output" else ()
        return [with_bias(call, operator, bias, axes)]

    return rule


RULES: Mapping[str, Rule] = {
    "aten::mm": _plain("self", "mat2"),
    "aten::bmm": _plain("self", "mat2"),
    "aten::mv": _plain("self", "vec"),
    "aten::dot": _plain("self", "tensor"),
    "aten::vdot": _plain("self", "other"),
    "aten::addmm": _biased("mat1", "mat2"),
    "aten::baddbmm": _biased("batch1", "batch2"),
}
