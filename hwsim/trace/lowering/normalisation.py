"""Normalisations and softmax, counted from their formulas.

Per element of the input; what is done once per row or channel (a reciprocal square root, a logarithm) is left out.
"""

from __future__ import annotations

from collections.abc import Mapping

from hwsim.trace.lowering.call import Call
from hwsim.trace.lowering.pointwise import Cost, Rule, cost, function, over_largest
from hwsim.workload.prices import FOLDED_NORM, LOG_SOFTMAX, NORM, RMS_NORM, SOFTMAX

__all__ = ["RULES", "SOFTMAX", "SOFTMAX_BACKWARD"]

SOFTMAX_BACKWARD = cost(add=2, mult=2)
"""``y * (g - sum(g * y))``."""

_LOG_SOFTMAX_BACKWARD = function(add=2, mult=1)  # g - exp(y) * sum(g)

_BACKWARD = cost(add=5, mult=4)
"""Bias: sum of g. Weight: ``(x - mean) * rstd``, times g, summed. Input: ``(g - a - xhat * b) * scale``."""
_RMS_BACKWARD = cost(add=3, mult=5)  # the same without a mean and a bias


def _batch_norm(call: Call) -> Cost:
    return NORM if call["training"] else FOLDED_NORM


_TRAINED_RULE, _BACKWARD_RULE = over_largest(NORM), over_largest(_BACKWARD)

RULES: Mapping[str, Rule] = {
    "aten::_softmax": over_largest(SOFTMAX),
    "aten::_safe_softmax": over_largest(SOFTMAX),
    "aten::_softmax_backward_data": over_largest(SOFTMAX_BACKWARD),
    "aten::_log_softmax": over_largest(LOG_SOFTMAX),
    "aten::_log_softmax_backward_data": over_largest(_LOG_SOFTMAX_BACKWARD),
    "aten::native_batch_norm": over_largest(_batch_norm),
    "aten::native_batch_norm_backward": _BACKWARD_RULE,
    "aten::cudnn_batch_norm": over_largest(_batch_norm),
    "aten::cudnn_batch_norm_backward": _BACKWARD_RULE,
    "aten::native_layer_norm": _TRAINED_RULE,
    "aten::native_layer_norm_backward": _BACKWARD_RULE,
    "aten::native_group_norm": _TRAINED_RULE,
    "aten::native_group_norm_backward": _BACKWARD_RULE,
    "aten::_fused_rms_norm": over_largest(RMS_NORM),
    "aten::_fused_rms_norm_backward": over_largest(_RMS_BACKWARD),
}
