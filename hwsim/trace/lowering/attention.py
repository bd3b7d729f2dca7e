"""Fused attention as the products and the softmax that it computes.

The score matrix counts in full also when attention is causal, as it does when attention runs unfused, so that
the same network has the same operations whatever kernel PyTorch chooses. The scores and weights that lie between
the operators get identities of their own and count as traffic; an architecture that keeps them on chip says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwsim.trace.lowering.call import Call, format_of
from hwsim.trace.lowering.normalisation import SOFTMAX, SOFTMAX_BACKWARD
from hwsim.trace.lowering.pointwise import Cost, Rule, function
from hwsim.trace.records import TensorRef
from hwsim.workload.contraction import Direction, matmul
from hwsim.workload.operator import Operand, Operator, Role

_WEIGHTS_AGAIN = function(add=1)  # exp(score - logsumexp)


@dataclass(frozen=True)
class _Tensor:
    identity: str
    format: str
    role: Role


@dataclass(frozen=True)
class _Attention:
    """Sizes of an attention; query heads that share a key head are further rows of it."""

    call: Call
    heads: int
    rows: int
    keys: int
    width: int
    value_width: int

    @classmethod
    def of(cls, call: Call) -> _Attention:
        query, key, value = (call[name].shape for name in ("query", "key", "value"))
        shared = query[1] // key[1]
        return cls(call, query[0] * key[1], shared * query[2], key[2], query[3], value[3])

    def given(self, ref: TensorRef) -> _Tensor:
        return _Tensor(ref.identity, self.call.format(ref), self.call.role(ref))

    def between(self, name: str, role: Role = "activation") -> _Tensor:
        result = self.call.result
        return _Tensor(f"{result.identity}.{name}", format_of(result.dtype), role)

    def product(
        self, part: str, given: tuple[_Tensor, _Tensor, _Tensor], inner: int, columns: int, writes: Direction
    ) -> Operator:
        a, b, c = given
        return matmul(
            batch=self.heads, rows=self.rows, inner=inner, columns=columns, writes=writes,
            tensors=(a.identity, b.identity, c.identity), formats=(a.format, b.format, c.format),
            roles=(a.role, b.role, c.role), **self.call.fields(part=part),
        )  # fmt: skip

    def pointwise(
        self, part: str, price: Cost, read: list[_Tensor], written: _Tensor, extra: Any = (), *, rows: bool = True
    ) -> Operator:
        """Make an operator on the score matrix; ``rows``: it takes statistics of its rows."""
        shape = (self.heads, self.rows, self.keys)
        operands = [_operand(f"input{i}", t, shape, "read") for i, t in enumerate(read)]
        return self.call.operator(
            part, primitive="elementwise", dims={"x": self.heads * self.rows * self.keys},
            operands=(*operands, *extra, _operand("out", written, shape, "write")), arithmetic=dict(price),
            reduced=(2,) if rows else (),
        )  # fmt: skip


def _operand(name: str, tensor: _Tensor, shape: tuple[int, ...], access: Any) -> Operand:
    return Operand(
        name=name, shape=shape, format=tensor.format, access=access, role=tensor.role, tensor=tensor.identity
    )


def _forward(call: Call) -> list[Operator]:
    at = _Attention.of(call)
    query, key, value = (at.given(call[name]) for name in ("query", "key", "value"))
    scores, weights = at.between("scores"), at.between("weights")
    logsumexp = [call.operand("logsumexp", ref, "write") for ref in call.record.outputs[1:2] if ref is not None]
    return [
        at.product("scores", (query, key, scores), at.width, at.keys, "output"),
        at.pointwise("softmax", SOFTMAX, [scores], weights, [*_masks(call), *logsumexp]),
        at.product("values", (weights, value, at.given(call.result)), at.keys, at.value_width, "output"),
    ]


def _backward(call: Call) -> list[Operator]:
    """Lower the backward pass, which computes the weights again instead of having kept them."""
    at = _Attention.of(call)
    query, key, value = (at.given(call[name]) for name in ("query", "key", "value"))
    to_query, to_key, to_value = (at.given(ref) for ref in call.record.outputs[:3] if ref is not None)
    gradient = at.given(call[next(iter(call.record.arguments))])
    scores, weights = at.between("scores"), at.between("weights")
    to_weights, to_scores = at.between("to_weights", "gradient"), at.between("to_scores", "gradient")
    saved = [*_masks(call), call.operand("logsumexp", call["logsumexp"])]
    result = [call.operand("result", call["out"])]
    return [
        at.product("scores", (query, key, scores), at.width, at.keys, "output"),
        at.pointwise("softmax", _WEIGHTS_AGAIN, [scores], weights, saved, rows=False),
        at.product("value", (weights, to_value, gradient), at.keys, at.value_width, "weight"),
        at.product("weights", (to_weights, value, gradient), at.keys, at.value_width, "input"),
        at.pointwise("softmax_backward", SOFTMAX_BACKWARD, [weights, to_weights], to_scores, result),
        at.product("query", (to_query, key, to_scores), at.width, at.keys, "input"),
        at.product("key", (query, to_key, to_scores), at.width, at.keys, "weight"),
    ]


def _masks(call: Call) -> list[Operand]:
    given = [call.record.arguments.get(name) for name in ("attn_mask", "attn_bias")]
    return [call.operand("mask", ref) for ref in given if ref is not None]


_KERNELS = ("flash_attention_for_cpu", "flash_attention", "efficient_attention", "cudnn_attention")
RULES: Mapping[str, Rule] = {
    **{f"aten::_scaled_dot_product_{kernel}": _forward for kernel in _KERNELS},
    **{f"aten::_scaled_dot_product_{kernel}_backward": _backward for kernel in _KERNELS},
}
