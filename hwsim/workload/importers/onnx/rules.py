"""The rule of every known ONNX operator. Prices are those of the tracer for the same function."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from hwsim.errors import InputError
from hwsim.workload.importers.onnx import products
from hwsim.workload.importers.onnx.node import Node
from hwsim.workload.operator import Operand, Operator, Primitive
from hwsim.workload.prices import FOLDED_NORM, LOG_SOFTMAX, NORM, RMS_NORM, SERIES, SOFTMAX, Cost, cost, function

Rule = Callable[[Node], list[Operator]]

VIEWS = frozenset({"Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Dropout"})
"""Operators whose result is their first input; dropout does nothing in inference."""


def _aligned(price: Cost | Callable[[Node], Cost]) -> Rule:
    """Make a rule for an elementwise operator, whose operands broadcast against each other."""

    def rule(node: Node) -> list[Operator]:
        shape = node.shape(node.output)
        arithmetic, points = dict(price(node) if callable(price) else price), math.prod(shape)
        operands = node.operands()
        if not points:
            return []
        if all(operand.elements == points for operand in operands):
            return [node.make(primitive="elementwise", dims={"x": points}, operands=operands, arithmetic=arithmetic)]
        dims = {f"x{axis}": size for axis, size in enumerate(shape)}
        projected = tuple(_project(operand, len(shape)) for operand in operands)
        return [node.make(primitive="elementwise", dims=dims, operands=projected, arithmetic=arithmetic)]

    return rule


def _project(operand: Operand, rank: int) -> Operand:
    offset = rank - len(operand.shape)
    if offset < 0:
        raise InputError("operands must broadcast to the result", value=operand.shape)
    axes = tuple("0" if size == 1 else f"x{offset + axis}" for axis, size in enumerate(operand.shape))
    return operand.model_copy(update={"projection": axes})


def _over_largest(price: Cost | Callable[[Node], Cost], primitive: Primitive = "elementwise") -> Rule:
    """Make a rule with one point per element of the largest tensor."""

    def rule(node: Node) -> list[Operator]:
        operands = node.operands()
        points = max(operand.elements for operand in operands)
        arithmetic = dict(price(node) if callable(price) else price)
        if not points:
            return []
        return [node.make(primitive=primitive, dims={"x": points}, operands=operands, arithmetic=arithmetic)]

    return rule


def _moved(node: Node) -> list[Operator]:
    """Lower what copies a part of its first input: as much is read as is written."""
    shape = node.shape(node.output)
    if not math.prod(shape):
        return []
    indices = [node.operand(f"input{i}", name) for i, name in enumerate(node.inputs[1:], start=1)
               if name and name not in node.graph.known]  # fmt: skip
    read, written = node.operand("input0", node.input(0), shape=shape), node.operand("output", node.output, "write")
    operands = (read, *indices, written)
    primitive: Primitive = "gather" if indices or node.operator.startswith("Gather") else "copy"
    return [node.make(primitive=primitive, dims={"x": math.prod(shape)}, operands=operands)]


def _pool(*, average: bool) -> Rule:
    """Make a rule for windows."""

    def rule(node: Node) -> list[Operator]:
        shape, kernel = node.shape(node.output), node.attribute("kernel_shape", ())
        axes = len(kernel)
        strides, dilations = (node.attribute(name, (1,) * axes) for name in ("strides", "dilations"))
        pads = node.attribute("pads", (0,) * (2 * axes))
        if not axes or len(shape) != axes + 2 or not (len(strides) == len(dilations) == axes == len(pads) // 2):
            raise InputError("window must have one size, stride and dilation per axis", value=kernel)
        places, taps = [f"p{i}" for i in range(axes)], [f"r{i}" for i in range(axes)]
        slides = tuple(
            f"{s}*{p} + {d}*{r} - {pad}"
            for p, r, s, d, pad in zip(places, taps, strides, dilations, pads, strict=False)
        )
        dims = dict(zip(("n", "c", *places, *taps), (*shape, *kernel), strict=True))
        arithmetic = cost(add=1, mult=1 / math.prod(kernel) if average else 0)
        operands = (node.operand("input0", node.input(0), projection=("n", "c", *slides)),
                    node.operand("output", node.output, "write", ("n", "c", *places)))  # fmt: skip
        return [node.make(primitive="elementwise", dims=dims, operands=operands, arithmetic=dict(arithmetic))]

    return rule


def _power(node: Node) -> Cost:
    exponent = node.graph.scalars.get(node.input(1))
    if exponent is not None and exponent.is_integer() and 1 <= exponent <= 4:
        return cost(mult=exponent - 1)
    return function(2)  # exp(exponent * log(x))


def _division(node: Node) -> Cost:
    """One divisor for the whole tensor is a product with its reciprocal."""
    return function(mult=1) if node.elements(node.input(1)) > 1 else cost(mult=1)


def _many(price: Callable[[int], Cost]) -> Callable[[Node], Cost]:
    return lambda node: price(len(node.given) - 1)


def _mean(node: Node) -> Cost:
    return cost(add=1, mult=node.elements(node.output) / max(node.elements(node.input(0)), 1))


def _response(node: Node) -> Cost:
    """Square, windowed sum, then ``x * (k + a * sum) ** -beta``."""
    return function(2, add=node.attribute("size", 1), mult=3)


_ADDITIONS = (
    "Relu", "LeakyRelu", "ThresholdedRelu", "Clip", "Where", "Abs", "Neg", "Sign", "Add", "Sub", "Equal", "Greater",
    "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Not", "Xor", "BitwiseAnd", "BitwiseOr", "BitwiseNot",
    "BitwiseXor", "IsNaN", "IsInf", "Round", "Floor", "Ceil", "Shrink",
)  # fmt: skip
_FUNCTIONS = (
    "Exp", "Log", "Sqrt", "Reciprocal", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Erf", "Tanh",
    "Sigmoid", "Softplus", "Mod",
)  # fmt: skip
_SUMS = ("ReduceSum", "ReduceMax", "ReduceMin", "ArgMax", "ArgMin", "CumSum", "TopK", "GlobalMaxPool")
_COPIES = ("Concat", "Transpose", "Cast", "CastLike", "Pad", "Expand", "Tile", "Split", "DepthToSpace", "SpaceToDepth",
           "ReverseSequence", "Trilu", "OneHot", "Range", "ConstantOfShape")  # fmt: skip

RULES: Mapping[str, Rule] = {
    "Conv": products.convolution,
    "ConvTranspose": products.transposed_convolution,
    "MatMul": products.product,
    "Gemm": products.gemm,
    "Einsum": products.einsum,
    "MaxPool": _pool(average=False),
    "AveragePool": _pool(average=True),
    **{name: _aligned(cost(add=1)) for name in _ADDITIONS},
    **{name: _aligned(function()) for name in _FUNCTIONS},
    **{name: _over_largest(cost(add=1)) for name in _SUMS},
    **{name: _over_largest(cost(), "copy") for name in _COPIES},
    **dict.fromkeys(("Slice", "Gather", "GatherElements", "GatherND"), _moved),
    **dict.fromkeys(("ScatterElements", "ScatterND"), _over_largest(cost(), "gather")),
    **{name: _aligned(_many(lambda n: cost(add=n))) for name in ("Sum", "Max", "Min")},
    "Mean": _aligned(_many(lambda n: cost(add=n, mult=1))),
    **dict.fromkeys(("ReduceMean", "GlobalAveragePool"), _over_largest(_mean)),
    "ReduceProd": _over_largest(cost(mult=1)),
    **{name: _over_largest(cost(add=1, mult=1)) for name in ("ReduceL2", "ReduceSumSquare")},
    "ReduceL1": _over_largest(cost(add=2)),
    "ReduceLogSumExp": _over_largest(function(add=3)),
    "Mul": _aligned(cost(mult=1)),
    "Div": _aligned(_division),
    "Pow": _aligned(_power),
    "PRelu": _aligned(cost(add=1, mult=1)),
    "Gelu": _aligned(function(add=1, mult=3)),
    "Mish": _aligned(function(2, mult=1)),
    "HardSwish": _aligned(cost(add=3, mult=2)),
    "HardSigmoid": _aligned(cost(add=3, mult=1)),
    "Softsign": _aligned(function(add=2, mult=1)),
    **{name: _aligned(function(add=2, mult=2)) for name in ("Elu", "Celu", "Selu")},
    **{name: _aligned(cost(add=2, mult=1)) for name in ("QuantizeLinear", "DequantizeLinear")},
    "Softmax": _over_largest(SOFTMAX),
    "LogSoftmax": _over_largest(LOG_SOFTMAX),
    "BatchNormalization": _over_largest(FOLDED_NORM),
    **{name: _over_largest(NORM) for name in ("LayerNormalization", "InstanceNormalization", "GroupNormalization")},
    "RMSNormalization": _over_largest(RMS_NORM),
    **{name: _over_largest(function(add=1, mult=2)) for name in ("LpNormalization", "MeanVarianceNormalization")},
    "LRN": _over_largest(_response),
    "Resize": _over_largest(cost(add=3, mult=SERIES)),
    "Upsample": _over_largest(cost(), "copy"),
}
"""By type; operators of other domains have none."""
