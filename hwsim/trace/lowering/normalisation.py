"""Normalisations and softmax, counted from their formulas.

Per element of the input; what is done once per row or channel (a reciprocal square root, a logarithm) is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hwsim.trace.lowering.call import Call
from hwsim.trace.lowering.pointwise import Cost, Rule, cost, function, over_largest
from hwsim.workload.operator import Operator
from hwsim.workload.prices import FOLDED_NORM, LOG_SOFTMAX, NORM, RMS_NORM, SOFTMAX

__all__ = ["RULES", "SOFTMAX", "SOFTMAX_BACKWARD"]

SOFTMAX_BACKWARD = cost(add=2, mult=2)
"""``y * (g - sum(g * y))``."""

_LOG_SOFTMAX_BACKWARD = function(add=2, mult=1)  # g - exp(y) * sum(g)

_BACKWARD = cost(add=5, mult=4)
"""Bias: sum of g. Weight: ``(x - mean) * rstd``, times g, summed. Input: ``(g - a - xhat * b) * scale``."""
_RMS_BACKWARD = cost(add=3, mult=5)  # the same without a mean and a bias


Axes = Callable[[Call, int], tuple[int, ...]]
"""Of a call and the rank of its largest operand: the axes over which it takes statistics."""


def _batch_norm(call: Call) -> Cost:
    return NORM if call["training"] else FOLDED_NORM


def _row(call: Call, rank: int) -> tuple[int, ...]:
    return (call["dim"] % rank,)


def _channel(call: Call, rank: int) -> tuple[int, ...]:
    trained = call.record.arguments.get("training", call.record.arguments.get("train", True))
    return (0, *range(2, rank)) if trained else ()


def _last(call: Call, rank: int) -> tuple[int, ...]:
    return tuple(range(rank - len(call["normalized_shape"]), rank))


def _sample(call: Call, rank: int) -> tuple[int, ...]:
    return tuple(range(1, rank))


def _statistic(price: Cost | Callable[[Call], Cost], axes: Axes) -> Rule:
    plain = over_largest(price)

    def rule(call: Call) -> list[Operator]:
        return [
            operator.model_copy(update={"reduced": axes(call, len(operator.largest.shape))})
            for operator in plain(call)
        ]

    return rule


RULES: Mapping[str, Rule] = {
    "aten::_softmax": _statistic(SOFTMAX, _row),
    "aten::_safe_softmax": _statistic(SOFTMAX, _row),
    "aten::_softmax_backward_data": _statistic(SOFTMAX_BACKWARD, _row),
    "aten::_log_softmax": _statistic(LOG_SOFTMAX, _row),
    "aten::_log_softmax_backward_data": _statistic(_LOG_SOFTMAX_BACKWARD, _row),
    "aten::native_batch_norm": _statistic(_batch_norm, _channel),
    "aten::native_batch_norm_backward": _statistic(_BACKWARD, _channel),
    "aten::cudnn_batch_norm": _statistic(_batch_norm, _channel),
    "aten::cudnn_batch_norm_backward": _statistic(_BACKWARD, _channel),
    "aten::native_layer_norm": _statistic(NORM, _last),
    "aten::native_layer_norm_backward": _statistic(_BACKWARD, _last),
    "aten::native_group_norm": _statistic(NORM, _sample),
    "aten::native_group_norm_backward": _statistic(_BACKWARD, _sample),
    "aten::_fused_rms_norm": _statistic(RMS_NORM, _last),
    "aten::_fused_rms_norm_backward": _statistic(_RMS_BACKWARD, _last),
}
