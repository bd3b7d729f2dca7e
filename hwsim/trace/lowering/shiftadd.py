"""Operators of `models`: convolutions that say their primitive and formats, L1 distances, masked sums, rounding.

They are known here by name alone: whoever defines operators of these names and arguments is traced alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwsim.trace.lowering.call import Call
from hwsim.trace.lowering.matmul import product, with_operand
from hwsim.trace.lowering.pointwise import Rule, cost, over_largest
from hwsim.trace.records import TensorRef
from hwsim.workload.contraction import Direction, conv2d
from hwsim.workload.operator import Operator, Primitive


def _product(call: Call) -> list[Operator]:
    primitive, form = call["primitive"], call["weight_format"]
    return [_convolution(call, call["x"], call["weight"], call.result, "output", primitive, form)]


def _product_input(call: Call) -> list[Operator]:
    primitive, form = call["primitive"], call["weight_format"]
    return [_convolution(call, call.result, call["weight"], call["gradient"], "input", primitive, form)]


def _product_weight(call: Call) -> list[Operator]:
    return [_convolution(call, call["x"], call.result, call["gradient"], "weight", "mac")]


def _adder(call: Call) -> list[Operator]:
    return [_convolution(call, call["x"], call["weight"], call.result, "output", "add")]


def _adder_input(call: Call) -> list[Operator]:
    """Lower ``sum of gradient * clip(w - x)``: a product with the gradient, whose other factor needs the input too."""
    operator = _convolution(call, call.result, call["weight"], call["gradient"], "input", "mac")
    return [with_operand(operator, call.operand("x", call["x"]))]


def _adder_weight(call: Call) -> list[Operator]:
    """Lower ``sum of gradient * (x - w)``."""
    operator = _convolution(call, call["x"], call.result, call["gradient"], "weight", "mac")
    return [with_operand(operator, call.operand("w", call["weight"]))]


def _binary_product(call: Call) -> list[Operator]:
    """Lower the sums of the rows that a matrix of zeros and ones selects."""
    operator, codes = product(call, call["codes"], call["values"], call.result), call["codes"].identity
    operands = tuple(o.model_copy(update={"format": "bin01"}) if o.tensor == codes else o for o in operator.operands)
    return [operator.model_copy(update={"primitive": "binary_add", "operands": operands})]


def _rounding(add: int) -> Rule:
    """Make the rule of a rounding, whose integers all that read them get in their own format."""

    def rule(call: Call) -> list[Operator]:
        call.step.formats[call.result.identity] = call["form"]
        return over_largest(cost(add=add, mult=2))(call)

    return rule


def _convolution(
    call: Call, x: TensorRef, weight: TensorRef, output: TensorRef, writes: Direction, primitive: Primitive,
    weight_format: str = "",
) -> Operator:  # fmt: skip
    told: dict[str, Any] = call.triple(x, weight, output)
    x_format, known, output_format = told["formats"]
    told["formats"] = x_format, weight_format or known, output_format
    result = {"input": x, "weight": weight, "output": output}[writes]
    fields = call.fields(result, "" if writes == "output" else writes)
    if writes == "weight":  # though the weight is made from the parameters, such as from shifts and signs
        fields["phase"] = "grad_weight"
    return conv2d(
        batch=x.shape[0], in_channels=x.shape[1], out_channels=output.shape[1],
        input_size=(x.shape[2], x.shape[3]), output_size=(output.shape[2], output.shape[3]),
        kernel=(weight.shape[2], weight.shape[3]), stride=tuple(call["stride"]), padding=tuple(call["padding"]),
        dilation=tuple(call["dilation"]), groups=call["groups"], primitive=primitive, writes=writes,
        **told, **fields,
    )  # fmt: skip


RULES: Mapping[str, Rule] = {
    "hwsim::product_conv2d": _product,
    "hwsim::product_conv2d_input": _product_input,
    "hwsim::product_conv2d_weight": _product_weight,
    "hwsim::adder_conv2d": _adder,
    "hwsim::adder_conv2d_input": _adder_input,
    "hwsim::adder_conv2d_weight": _adder_weight,
    "hwsim::binary_matmul": _binary_product,
    "hwsim::round_to_grid": _rounding(add=2),
    "hwsim::round_by_chance": _rounding(add=3),
}
