"""Convolutions of one to three axes, transposed ones, and their gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwsim.trace.lowering.call import Call
from hwsim.trace.lowering.matmul import with_operand
from hwsim.trace.lowering.pointwise import Rule, cost
from hwsim.trace.records import TensorRef
from hwsim.workload.contraction import Direction, conv2d
from hwsim.workload.operator import MAIN_OPERANDS, Operand, Operator

_BACKWARD: dict[Direction, Direction] = {"output": "input", "input": "output", "weight": "weight"}


def _forward(call: Call) -> list[Operator]:
    data, weight, bias = call["input"], call["weight"], call["bias"]
    operator = _convolution(call, data, weight, call.result, "output")
    if bias is not None:
        operator = with_operand(operator, call.operand("bias", bias))
    return [operator]


def _gradients(call: Call) -> list[Operator]:
    gradient, data, weight = call["grad_output"], call["input"], call["weight"]
    to_input, to_weight, to_bias = call.record.outputs
    operators = []
    if to_input is not None:
        operators.append(_convolution(call, to_input, weight, gradient, "input"))
    if to_weight is not None:
        operators.append(_convolution(call, data, to_weight, gradient, "weight"))
    if to_bias is not None:
        operators.append(_bias_gradient(call, gradient, to_bias))
    return operators


def _bias_gradient(call: Call, gradient: TensorRef, result: TensorRef) -> Operator:
    operands = (call.operand("grad_output", gradient), call.operand("out", result, "write"))
    return Operator(
        primitive="elementwise", dims={"x": gradient.elements}, operands=operands, arithmetic=dict(cost(add=1)),
        **call.fields(result, "bias"),
    )  # fmt: skip


def _convolution(
    call: Call, data: TensorRef, weight: TensorRef, output: TensorRef, writes: Direction
) -> Operator:
    """Lower the convolution of ``data`` to ``output``, or the gradient of it that ``writes`` names.

    A transposed convolution is the input gradient of the convolution with the same weight from ``output`` to
    ``data``: the two change places.
    """
    result = {"input": data, "weight": weight, "output": output}[writes]
    fields = call.fields(result, "" if writes == "output" else writes)
    if writes == "weight":  # though the weight may be made from the parameters, such as by a mask
        fields["phase"] = "grad_weight"
    if call["transposed"]:
        data, output, writes = output, data, _BACKWARD[writes]
    operator = conv2d(
        batch=data.shape[0], in_channels=data.shape[1], out_channels=output.shape[1],
        input_size=_pair(data.shape[2:], 1), output_size=_pair(output.shape[2:], 1),
        kernel=_pair(weight.shape[2:], 1), stride=_pair(call["stride"], 1), padding=_pair(call["padding"], 0),
        dilation=_pair(call["dilation"], 1), groups=call["groups"], writes=writes,
        **call.triple(data, weight, output), **fields,
    )  # fmt: skip
    return operator if len(data.shape) < 5 else _deepen(call, operator, data, weight, output)


def _pair(values: Any, neutral: int) -> tuple[int, int]:
    """Return the last two of ``values``; one axis becomes rows, with one column."""
    values = tuple(values)
    return (values[0], neutral) if len(values) == 1 else (values[-2], values[-1])


def _deepen(call: Call, operator: Operator, *refs: TensorRef) -> Operator:
    """Insert the depth of a three-dimensional convolution: ``d`` of the output, ``t`` of the kernel."""
    data, weight, output = refs
    stride, padding, dilation = (call[name][0] for name in ("stride", "padding", "dilation"))
    axis = {"input": f"{stride}*d + {dilation}*t - {padding}", "weight": "t", "output": "d"}
    operands = [
        _insert(operator.operand(name), ref.shape, axis[name])
        for name, ref in zip(MAIN_OPERANDS, (data, weight, output), strict=True)
    ]
    dims = operator.dims | {"d": output.shape[2], "t": weight.shape[2]}
    return Operator.model_validate(dict(operator) | {"dims": dims, "operands": tuple(operands)})


def _insert(operand: Operand, shape: tuple[int, ...], axis: str) -> Operand:
    projection = (*operand.projection[:2], axis, *operand.projection[2:])
    return Operand.model_validate(dict(operand) | {"shape": shape, "projection": projection})


RULES: Mapping[str, Rule] = {
    "aten::convolution": _forward,
    "aten::convolution_backward": _gradients,
}
