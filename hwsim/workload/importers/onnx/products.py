"""Convolutions, matrix products and two-operand einsums."""

from __future__ import annotations

import math

from hwsim.errors import InputError
from hwsim.workload.contraction import conv2d, matmul
from hwsim.workload.importers.einsum import Access, Axis, contraction
from hwsim.workload.importers.onnx.node import Node
from hwsim.workload.operator import Operator


def convolution(node: Node) -> list[Operator]:
    """Lower ``Conv`` of one to three axes."""
    return _convolution(node, node.input(0), node.output, transposed=False)


def transposed_convolution(node: Node) -> list[Operator]:
    """Lower ``ConvTranspose``: the input gradient of the convolution from its result to its input."""
    return _convolution(node, node.output, node.input(0), transposed=True)


def _convolution(node: Node, data: str, result: str, *, transposed: bool) -> list[Operator]:
    weight = node.input(1)
    inputs, kernel, outputs = (node.shape(tensor) for tensor in (data, weight, result))
    axes = len(inputs) - 2
    if not 1 <= axes <= 3 or len(kernel) != len(inputs) or len(outputs) != len(inputs):
        raise InputError("convolution must have one to three axes", value=[inputs, kernel, outputs])
    stride, dilation = (_each(node, name, axes) for name in ("strides", "dilations"))
    geometry = (inputs[2:], outputs[2:], kernel[2:], stride, _padding(node, inputs, outputs, kernel), dilation)
    groups = node.attribute("group", 1)
    if groups < 1 or kernel[0] != outputs[1] or kernel[1] * groups != inputs[1] or outputs[1] % groups:
        raise InputError(f"channels must agree with the weight and groups={groups}", value=[inputs, kernel, outputs])
    if axes == 3:
        return [_with_bias(node, _volume(node, (data, weight, result), geometry, groups))]
    sizes, places, window, stride, padding, dilation = (_pair(values, 0 if i == 4 else 1)
                                                        for i, values in enumerate(geometry))  # fmt: skip
    operator = conv2d(
        batch=inputs[0], in_channels=inputs[1], out_channels=outputs[1], input_size=sizes, output_size=places,
        kernel=window, stride=stride, padding=padding, dilation=dilation, groups=groups,
        writes="input" if transposed else "output", **node.triple(data, weight, result), **node.fields(),
    )  # fmt: skip
    return [_with_bias(node, operator)]


def _volume(
    node: Node, tensors: tuple[str, str, str], geometry: tuple[tuple[int, ...], ...], groups: int
) -> Operator:
    """Lower a convolution of three axes, of which the first are ``d`` of the output and ``t`` of the kernel."""
    if node.operator != "Conv":
        raise InputError("transposed convolution must have at most two axes")
    data, weight, _ = tensors
    _, places, window, stride, padding, dilation = geometry
    kernel = node.shape(weight)
    inner, outer = kernel[1], kernel[0] // groups
    dims = {"g": groups, "n": node.shape(data)[0], "m": outer, "c": inner,
            **dict(zip("dpq", places, strict=True)), **dict(zip("trs", window, strict=True))}  # fmt: skip
    slides: list[Axis] = [
        {out: s, tap: d, "": -pad} for out, tap, s, d, pad in zip("dpq", "trs", stride, dilation, padding, strict=True)
    ]
    out_channel: Axis = {"g": outer, "m": 1}
    axes: list[tuple[Axis, ...]] = [
        ({"n": 1}, {"g": inner, "c": 1}, *slides), (out_channel, {"c": 1}, *({tap: 1} for tap in "trs")),
        ({"n": 1}, out_channel, *({out: 1} for out in "dpq")),
    ]  # fmt: skip
    a, b, c = (_access(node, tensor, axis) for tensor, axis in zip(tensors, axes, strict=True))
    return contraction(dims=dims, reads=(a, b), output=c, **node.fields())


def product(node: Node) -> list[Operator]:
    """Lower ``MatMul``, whose leading axes broadcast."""
    first, second = node.input(0), node.input(1)
    a, b = node.shape(first), node.shape(second)
    if not a or not b:
        raise InputError("factors must have at least one axis", value=[a, b])
    rows, inner, columns = a[-2] if len(a) > 1 else 1, a[-1], b[-1] if len(b) > 1 else 1
    if inner != (b[-2] if len(b) > 1 else b[0]):
        raise InputError("factors must agree in the axis that is summed", value=[a, b])
    left, right = a[:-2], b[:-2]
    here, there = math.prod(left), math.prod(right)
    if here * rows * inner * columns * there == 0:
        return []
    if there == 1:
        batch, rows = 1, here * rows
    elif here == 1:
        batch, columns = 1, there * columns
    elif here == there and _trimmed(left) == _trimmed(right):
        batch = here
    else:
        return [_broadcast(node, first, second)]
    given = node.triple(first, second, node.output)
    return [matmul(batch=batch, rows=rows, inner=inner, columns=columns, **given, **node.fields())]


def _broadcast(node: Node, first: str, second: str) -> Operator:
    """Lower a product some of whose leading axes one factor repeats."""
    result = node.shape(node.output)
    letters = [f"b{axis}" for axis in range(len(result) - 2)]
    dims = dict(zip([*letters, "n", "m"], result, strict=True)) | {"c": node.shape(first)[-1]}

    def axes(tensor: str, last: tuple[str, str]) -> tuple[Axis, ...]:
        leading = node.shape(tensor)[:-2]
        names = letters[len(letters) - len(leading) :]
        repeated: list[Axis] = [{"": 0} if size == 1 else {name: 1} for name, size in zip(names, leading, strict=True)]
        return (*repeated, *({name: 1} for name in last))

    reads = [_access(node, first, axes(first, ("n", "c"))), _access(node, second, axes(second, ("c", "m")))]
    return contraction(dims=dims, reads=reads, output=_access(node, node.output, axes(node.output, ("n", "m"))),
                       **node.fields())  # fmt: skip


def gemm(node: Node) -> list[Operator]:
    """Lower ``Gemm``."""
    a, b = node.shape(node.input(0)), node.shape(node.input(1))
    if len(a) != 2 or len(b) != 2:
        raise InputError("factors must be matrices", value=[a, b])
    rows, inner = a[::-1] if node.attribute("transA", 0) else a
    other, columns = b[::-1] if node.attribute("transB", 0) else b
    if inner != other:
        raise InputError("factors must agree in the axis that is summed", value=[a, b])
    operator = matmul(rows=rows, inner=inner, columns=columns,
                      **node.triple(node.input(0), node.input(1), node.output), **node.fields())  # fmt: skip
    return [_with_bias(node, operator)]


def einsum(node: Node) -> list[Operator]:
    """Lower ``Einsum`` of two operands without repeated or elided subscripts."""
    equation = node.attribute("equation", "").replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    names = [node.input(index) for index in range(len(terms))]
    if not arrow or len(terms) != 2 or not all(_plain(term) for term in (*terms, right)):
        raise InputError("einsum must have two operands, and a result of letters", value=equation)
    dims: dict[str, int] = {}
    for term, name in zip(terms, names, strict=True):
        shape = node.shape(name)
        if len(shape) != len(term):
            raise InputError("einsum must have one letter per axis", value=equation)
        dims |= dict(zip(term, shape, strict=True))
    if not set(right) <= dims.keys():
        raise InputError("letters of the result must be in an operand", value=equation)
    reads = [_access(node, n, tuple({c: 1} for c in term)) for n, term in zip(names, terms, strict=True)]
    output = _access(node, node.output, tuple({c: 1} for c in right))
    return [contraction(dims=dims, reads=reads, output=output, **node.fields())]


def _plain(term: str) -> bool:
    return not term or (term.isalpha() and term.isascii() and len(set(term)) == len(term))


def _access(node: Node, tensor: str, axes: tuple[Axis, ...]) -> Access:
    return Access(node.graph.identity(tensor), axes, node.format(tensor), node.shape(tensor), node.role(tensor))


def _with_bias(node: Node, operator: Operator) -> Operator:
    if len(node.inputs) < 3 or not node.inputs[2]:
        return operator
    operands = (*operator.operands, node.operand("bias", node.inputs[2]))
    return Operator.model_validate(dict(operator) | {"operands": operands})


def _padding(
    node: Node, inputs: tuple[int, ...], outputs: tuple[int, ...], kernel: tuple[int, ...]
) -> tuple[int, ...]:
    """Return what is added before each axis."""
    axes = len(inputs) - 2
    given, mode = node.attribute("pads", (0,) * (2 * axes)), node.attribute("auto_pad", "NOTSET")
    if len(given) != 2 * axes:
        raise InputError("pads must have two values per axis", value=given)
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        return tuple(given[:axes])
    stride, dilation = _each(node, "strides", axes), _each(node, "dilations", axes)
    totals = [
        max((o - 1) * s + (k - 1) * d + 1 - i, 0)
        for i, o, k, s, d in zip(inputs[2:], outputs[2:], kernel[2:], stride, dilation, strict=True)
    ]
    return tuple((total + (mode == "SAME_LOWER")) // 2 for total in totals)


def _each(node: Node, name: str, axes: int) -> tuple[int, ...]:
    values = tuple(node.attribute(name, (1,) * axes))
    if len(values) != axes or min(values) < 1:
        raise InputError(f"{name} must have one positive value per axis", value=values)
    return values


def _pair(values: tuple[int, ...], neutral: int) -> tuple[int, int]:
    return (values[0], neutral) if len(values) == 1 else (values[0], values[1])


def _trimmed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape without leading ones, which broadcasting ignores."""
    first = next((index for index, size in enumerate(shape) if size != 1), len(shape))
    return shape[first:]


