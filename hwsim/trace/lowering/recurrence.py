"""The kernel that PyTorch runs an LSTM layer with on CPUs, as the products and the cell that it computes.

Products with the input go over all steps at once, those with the hidden state step by step. What lies between them gets
identities of its own, and counts as traffic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwsim.trace.lowering.call import Call, format_of
from hwsim.trace.lowering.matmul import with_bias
from hwsim.trace.lowering.pointwise import Rule, function
from hwsim.trace.records import TensorRef
from hwsim.workload.contraction import Direction, matmul
from hwsim.workload.operator import Access, Operand, Operator, Role

_CELL = function(5, add=5, mult=3)  # sums of four gates and the cell; three sigmoids, two tanh; three products
_CELL_BACKWARD = function(1, add=9, mult=15)  # tanh of the cell again


_Tensor = tuple[str, Role]
"""Identity and role."""
_Factors = tuple[_Tensor, _Tensor, _Tensor]
"""Input, weight and output of a product."""


@dataclass(frozen=True)
class _Layer:
    """Sizes of one layer and direction: the gates are four times as wide as the hidden state."""

    call: Call
    steps: int
    batch: int
    inputs: int
    hidden: int
    gates: int

    @classmethod
    def of(cls, call: Call, input_weight: TensorRef, hidden_weight: TensorRef) -> _Layer:
        steps, batch, inputs = call["input"].shape
        return cls(call, steps, batch, inputs, hidden_weight.shape[1], input_weight.shape[0])

    def between(self, name: str) -> str:
        return f"{self.call.result.identity}.{name}"

    def product(self, part: str, factors: _Factors, writes: Direction, *, at_once: bool, inner: int) -> Operator:
        """Return a product of ``inner`` channels with the gates, or a gradient of it."""
        rows, count = (self.steps * self.batch, 1) if at_once else (self.batch, self.steps)
        (data, data_role), (weight, weight_role), (output, output_role) = factors
        return matmul(
            rows=rows, inner=inner, columns=self.gates, writes=writes, count=count,
            tensors=(data, weight, output), roles=(data_role, weight_role, output_role),
            formats=(format_of(self.call["input"].dtype),) * 3, **self.fields(part, writes),
        )  # fmt: skip

    def fields(self, part: str, writes: Direction) -> dict[str, Any]:
        fields = self.call.fields(part=part)
        return fields | ({"phase": "grad_weight"} if writes == "weight" else {})

    def cell(self, part: str, price: Any, operands: tuple[Operand, ...]) -> Operator:
        points = self.steps * self.batch * self.hidden
        return self.call.operator(
            part, primitive="elementwise", dims={"x": points}, operands=operands, arithmetic=dict(price)
        )

    def gate_operand(self, name: str, role: Role, access: Access) -> Operand:
        shape = (self.steps, self.batch, self.gates)
        return Operand(
            name=name, shape=shape, format=format_of(self.call["input"].dtype), access=access, role=role,
            tensor=self.between(name),
        )  # fmt: skip


def _forward(call: Call) -> list[Operator]:
    at = _Layer.of(call, call["weight0"], call["weight1"])
    first = at.product(
        "input", (_told(call, "input"), _told(call, "weight0"), (at.between("from_input"), "activation")), "output",
        at_once=True, inner=at.inputs,
    )  # fmt: skip
    again = at.product(
        "hidden", (_told(call, "hx_"), _told(call, "weight1"), (at.between("from_hidden"), "activation")), "output",
        at_once=False, inner=at.hidden,
    )  # fmt: skip
    if call["has_biases"]:
        first, again = (
            with_bias(call, operator, call[name], ("m",))
            for operator, name in ((first, "weight2"), (again, "weight3"))
        )  # fmt: skip
    made = tuple(call.operand("out", ref, "write") for ref in call.record.outputs if ref is not None and ref.elements)
    read = (at.gate_operand("from_input", "activation", "read"), at.gate_operand("from_hidden", "activation", "read"))
    return [first, again, at.cell("cell", _CELL, (*read, call.operand("cx_", call["cx_"]), *made))]


_PARTS: tuple[tuple[int, str, str, str, Direction, bool], ...] = (
    (0, "to_input", "input", "weight1", "input", True),
    (1, "to_input_weight", "input", "weight1", "weight", True),
    (5, "to_hidden", "hx_", "weight2", "input", False),
    (2, "to_hidden_weight", "output", "weight2", "weight", True),
)
"""Products of the backward pass: result, name, input, weight, what is written, whether over all steps at once."""


def _backward(call: Call) -> list[Operator]:
    """Lower the backward pass; the gates are those that the forward pass kept."""
    at = _Layer.of(call, call["weight1"], call["weight2"])
    gates: _Tensor = at.between("to_gates"), "gradient"
    saved = ("cx_tmp", "cy_", "workspace", "grad_output", "grad_hy", "grad_cy")
    read = [call.operand(name, call[name]) for name in saved if call[name] is not None and call[name].elements]
    outputs = call.record.outputs
    states = [call.operand("out", ref, "write") for ref in outputs[6:7] if ref is not None]
    operators = [at.cell("cell", _CELL_BACKWARD, (*read, *states, at.gate_operand("to_gates", "gradient", "write")))]
    for index, part, data, weight, writes, at_once in _PARTS:
        ref = outputs[index]
        if ref is not None:
            made = ref.identity, call.role(ref)
            first = made if writes == "input" else _told(call, data)
            second = made if writes == "weight" else _told(call, weight)
            inner = at.inputs if data == "input" else at.hidden
            operators.append(at.product(part, (first, second, gates), writes, at_once=at_once, inner=inner))
    return operators + [_bias(at, ref) for ref in outputs[3:5] if ref is not None and call["has_biases"]]


def _bias(at: _Layer, ref: TensorRef) -> Operator:
    operands = (at.gate_operand("to_gates", "gradient", "read"), at.call.operand("out", ref, "write"))
    points = at.steps * at.batch * at.gates
    return Operator(
        primitive="elementwise", dims={"x": points}, operands=operands, arithmetic={"add": 1},
        **at.fields("bias", "weight"),
    )  # fmt: skip


def _told(call: Call, name: str) -> _Tensor:
    return call[name].identity, call.role(call[name])


RULES: Mapping[str, Rule] = {"aten::mkldnn_rnn_layer": _forward, "aten::mkldnn_rnn_layer_backward": _backward}
