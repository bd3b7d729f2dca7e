"""Elementwise operators and reductions.

Prices per point: an addition, comparison, selection, negation or absolute value is one addition; a transcendental
function, square root, reciprocal or division is a polynomial of degree 4. Random number generators are not counted.
"""

from __future__ import annotations

from collections.abc import Mapping

from hwsim.trace.lowering.call import Call
from hwsim.trace.lowering.pointwise import SERIES, Cost, Rule, aligned, cost, function, over_largest
from hwsim.trace.records import TensorRef

_FREE, _ADD, _MULT, _FUNCTION = cost(), cost(add=1), cost(mult=1), function()


def _scaled_sum(call: Call) -> Cost:
    return cost(add=1, mult=0 if call.record.arguments.get("alpha", 1) == 1 else 1)


def _division(call: Call) -> Cost:
    """A constant divisor, or a single one for the whole tensor, is a product with its reciprocal."""
    divisor = call.record.arguments.get("other")
    whole = isinstance(divisor, TensorRef) and divisor.elements > 1
    return function(mult=1) if whole else _MULT


def _power(call: Call) -> Cost:
    exponent = call.record.arguments.get("exponent")
    if isinstance(exponent, int | float) and float(exponent).is_integer() and 1 <= exponent <= 4:
        return cost(mult=float(exponent) - 1)
    return function(2)  # exp(exponent * log(x))


_ADDITIONS = (
    "relu", "threshold", "threshold_backward", "hardtanh", "hardtanh_backward", "clamp", "clamp_min",
    "clamp_max", "maximum", "minimum", "where", "abs", "neg", "sign", "sgn", "eq", "ne", "lt", "le", "gt",
    "ge", "logical_and", "logical_or", "logical_not", "logical_xor", "bitwise_and", "bitwise_or",
    "bitwise_not", "bitwise_xor", "masked_fill", "isnan", "isinf", "isfinite", "round", "floor", "ceil",
    "trunc", "leaky_relu", "leaky_relu_backward",
    "hardshrink", "hardshrink_backward", "softshrink_backward",
)  # fmt: skip
_MULTIPLICATIONS = ("mul", "square")
_FUNCTIONS = (
    "exp", "expm1", "exp2", "log", "log2", "log10", "log1p", "sqrt", "rsqrt", "reciprocal", "sin", "cos",
    "tan", "asin", "acos", "atan", "erf", "tanh", "sigmoid", "log_sigmoid_forward", "remainder", "fmod",
    "floor_divide", "softplus",
)  # fmt: skip
_SUMS = ("sum", "mean", "amax", "amin", "max", "min", "argmax", "argmin", "any", "all", "cumsum", "cummax", "cummin")
_FOLDS = (
    "upsample_nearest2d_backward", "reflection_pad1d_backward", "reflection_pad2d_backward",
    "replication_pad2d_backward", "col2im", "nonzero",
)  # fmt: skip
_FAKE_QUANTIZERS = (
    "_fake_quantize_per_tensor_affine_cachemask_tensor_qparams", "fake_quantize_per_tensor_affine_cachemask",
    "fake_quantize_per_channel_affine_cachemask",
)  # fmt: skip
_RANDOM = ("bernoulli", "uniform", "normal", "random", "exponential")

_ELEMENTWISE: dict[str, Cost] = {
    **dict.fromkeys(_ADDITIONS, _ADD),
    **dict.fromkeys(_MULTIPLICATIONS, _MULT),
    **dict.fromkeys(_FUNCTIONS, _FUNCTION),
    **dict.fromkeys(_RANDOM, _FREE),
    "lerp": cost(add=2, mult=1),  # a + w * (b - a)
    "addcmul": cost(add=1, mult=2),
    "addcdiv": function(add=1, mult=2),
    "gelu": function(add=1, mult=3),  # (x / 2) * (1 + erf(x * c))
    "gelu_backward": function(2, add=2, mult=5),  # g * (cdf(x) + x * pdf(x)): erf and exp
    "silu": function(mult=1),  # x * sigmoid(x)
    "silu_backward": function(add=2, mult=3),  # g * s * (1 + x * (1 - s))
    "mish": function(2, mult=1),  # x * tanh(softplus(x))
    "mish_backward": function(3, add=2, mult=4),
    "hardswish": cost(add=3, mult=2),  # x * clamp(x + 3, 0, 6) / 6
    "hardswish_backward": cost(add=4, mult=2),
    "hardsigmoid": cost(add=3, mult=1),
    "hardsigmoid_backward": cost(add=2, mult=1),
    "softplus_backward": function(mult=1),  # g * sigmoid(x)
    **dict.fromkeys(("elu", "elu_backward", "celu"), function(add=2, mult=2)),
    "_prelu_kernel": cost(add=1, mult=1),
    "_prelu_kernel_backward": cost(add=1, mult=2),
    "softshrink": cost(add=3),
    "xlogy": function(mult=1),
    "tanh_backward": cost(add=1, mult=2),  # g * (1 - y * y)
    "sigmoid_backward": cost(add=1, mult=2),  # g * y * (1 - y)
    "log_sigmoid_backward": function(add=1, mult=1),
    "native_dropout": cost(add=1, mult=2),  # comparison; mask and scale
    "native_dropout_backward": cost(mult=2),
    "binary_cross_entropy_backward": function(add=3, mult=3),
    "mse_loss_backward": cost(add=1, mult=2),
    "smooth_l1_loss_backward": cost(add=3, mult=2),
    "huber_loss_backward": cost(add=3, mult=2),
}

_REDUCTIONS: dict[str, Cost] = {
    **dict.fromkeys(_SUMS, _ADD),
    **dict.fromkeys(("norm", "linalg_vector_norm"), cost(add=1, mult=1)),
    "aminmax": cost(add=2),
    **dict.fromkeys(_FAKE_QUANTIZERS, cost(add=5, mult=2)),  # scale, round, add zero point, clamp; and back
    "_fused_moving_avg_obs_fq_helper": cost(add=7, mult=2),  # the same after minimum and maximum
    "prod": _MULT,
    "mse_loss": cost(add=2, mult=1),
    "smooth_l1_loss": cost(add=4, mult=2),
    "huber_loss": cost(add=4, mult=2),
    "logsumexp": function(add=3),
    "binary_cross_entropy": function(2, add=4, mult=2),
    "binary_cross_entropy_with_logits": function(2, add=4, mult=1),  # x - x * y + log(1 + exp(-x))
    "glu": cost(add=SERIES / 2, mult=(SERIES + 1) / 2),  # a * sigmoid(b), per value of a and b
    "glu_backward": cost(add=(SERIES + 1) / 2, mult=(SERIES + 4) / 2),
    "_weight_norm_interface": cost(add=1, mult=2),  # square, sum; scale
    "_weight_norm_interface_backward": cost(add=2, mult=3),
    "upsample_bilinear2d": cost(add=3, mult=4),
    "upsample_bilinear2d_backward": cost(add=4, mult=4),
    **dict.fromkeys(_FOLDS, _ADD),
    **dict.fromkeys(("var", "std", "var_mean", "std_mean"), cost(add=3, mult=1)),
    **dict.fromkeys(("topk", "sort"), _ADD),  # one pass of comparisons
}

RULES: Mapping[str, Rule] = {
    **{f"aten::{name}": aligned(price) for name, price in _ELEMENTWISE.items()},
    **{f"aten::{name}": over_largest(price) for name, price in _REDUCTIONS.items()},
    **{f"aten::{name}": aligned(_scaled_sum) for name in ("add", "sub", "rsub")},
    "aten::div": aligned(_division),
    "aten::pow": aligned(_power),
}
