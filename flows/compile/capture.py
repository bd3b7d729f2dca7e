"""Reading an exported program: each of its nodes by the rule for its operator, or a complaint by the layer's name."""

from __future__ import annotations

import math
import operator as python_operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.fx import Node

from flows.compile import quantised
from flows.compile.host import tail
from flows.compile.operators import Add, Affine, Array, Clip, Convolution, Geometry, Graph, Image, Operator, Pool, Term
from flows.compile.program import Program, UnsupportedError, path
from hwsim.errors import InputError

NO_COMMAND = "has no command"


@dataclass(frozen=True)
class Split:
    """What runs where.

    Attributes
    ----------
    graph
        Of the accelerator.
    host
        Layers that are left to the host, behind the accelerator.
    tail
        Their program (`flows.compile.host`); empty without.
    """

    graph: Graph
    host: tuple[str, ...] = ()
    tail: bytes = b""


@dataclass
class Capture:
    """The state of reading: operators so far, and which value each node stands for."""

    program: Program
    operators: list[Operator] = field(default_factory=list)
    shapes: dict[str, Image] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    steps: dict[str, tuple[float, float, float]] = field(default_factory=dict)

    def value(self, node: Any) -> str:
        """Return the value that a node stands for."""
        return self.values[node.name]

    def image(self, node: Any) -> Image:
        """Return a node's image."""
        return self.shapes[self.value(node)]

    def add(self, node: Node, operator: Operator, shape: Image) -> None:
        """Append the operator that makes a node."""
        self.operators.append(operator)
        self.shapes[operator.output] = shape
        self.values[node.name] = operator.output


Rule = Callable[[Capture, Node], None]


def capture(program: Program, *, host_ops: bool = False) -> Split:
    """Return the operators of a program.

    Parameters
    ----------
    host_ops
        Leave what the accelerator cannot do to the host, if nothing behind it needs the accelerator.

    Raises
    ------
    InputError
        Naming every layer that the accelerator cannot run.
    """
    state = Capture(program)
    state.values[program.input.name] = program.input.name
    state.shapes[program.input.name] = _image(program.input, tuple(program.input.meta["val"].shape))
    refused: list[tuple[Node, str]] = []
    for node in program.nodes:
        if any(
            source.name not in state.values and source.name not in program.constants for source in node.all_input_nodes
        ):
            refused.append((node, "" if _name(node) in RULES else NO_COMMAND))  # it needs the result of one refused
            continue
        try:
            _read(state, node)
        except UnsupportedError as error:
            refused.append((node, error.rule))
    if not refused:
        return Split(_graph(state, state.value(program.output)))
    if not host_ops:
        layers = "; ".join(f"{path(node)} ({node.target}) {reason}" for node, reason in refused if reason)
        raise InputError(f"holds layers that the accelerator cannot run: {layers}", field="model")
    return _split(state, [node for node, _ in refused])


def _split(state: Capture, host: list[Node]) -> Split:
    """Cut where the host takes over."""
    crossing = {state.value(s) for node in host for s in node.all_input_nodes if s.name in state.values}
    if state.program.output.name in state.values:
        crossing.add(state.value(state.program.output))
    if len(crossing) != 1 or crossing == {state.program.input.name}:
        raise InputError(
            f"must need one result of the accelerator on the host, behind {', '.join(path(node) for node in host)}",
            field="model", value=sorted(crossing),
        )  # fmt: skip
    cut = crossing.pop()
    last = {s: None for node in host for s in node.all_input_nodes if s.name in state.values}
    names = tuple(dict.fromkeys(path(node) for node in host))
    return Split(_graph(state, cut), names, tail(state.program, host, list(last)))


def _graph(state: Capture, output: str) -> Graph:
    """Return the operators that the output needs."""
    needed, kept = {output}, []
    for operator in reversed(state.operators):
        if operator.output in needed:
            kept.append(operator)
            needed.add(operator.source)
            if isinstance(operator, Add):
                needed.add(operator.other)
    if not kept:
        raise InputError("must hold a layer that the accelerator runs", field="model")
    source = state.program.input.name
    shapes = {name: shape for name, shape in state.shapes.items() if name in needed}
    return Graph(source, output, shapes, tuple(reversed(kept)), state.steps)


def _read(state: Capture, node: Node) -> None:
    if _name(node) not in RULES:
        raise UnsupportedError(NO_COMMAND)
    RULES[_name(node)](state, node)


def _name(node: Node) -> str:
    """Return the name of a node's operator, without overload."""
    return "getitem" if node.target is python_operator.getitem else str(node.target).rpartition(".")[0]


def _arguments(node: Node) -> dict[str, Any]:
    """Arguments by the name in the operator's schema, defaults included."""
    schema = node.target._schema  # type: ignore[union-attr]
    given = dict(zip([argument.name for argument in schema.arguments], node.args, strict=False))
    defaults = {argument.name: argument.default_value for argument in schema.arguments if argument.has_default_value()}
    return {**defaults, **given, **node.kwargs}


def _image(node: Node, shape: tuple[int, ...]) -> Image:
    """Return the image of a sample; features are an image of one pixel."""
    if len(shape) not in (2, 4):
        raise InputError(
            "must have the shape (samples, channels, rows, columns) or (samples, features)",
            field=path(node),
            value=shape,
        )
    return (shape[1], shape[2], shape[3]) if len(shape) == 4 else (shape[1], 1, 1)


def _pair(values: Any) -> tuple[int, int]:
    values = [values] if isinstance(values, int) else list(values)
    return (values[0], values[-1])


def _numpy(tensor: Any) -> Array:
    return np.asarray(tensor.double().numpy())


def _convolve(
    state: Capture, node: Node, source: Any, weight: Array, bias: Any, term: Term, geometry: Geometry, groups: int,
    weight_bits: int | None = None, step: Array | None = None,
) -> None:  # fmt: skip
    channels, rows, columns = state.image(source)
    if weight.shape[1] * groups != channels:  # features that were an image: the kernel covers all of it
        weight = weight.reshape(len(weight), channels, rows, columns)
    size = [
        (extent + 2 * pad - gap * (kernel - 1) - 1) // step + 1
        for extent, pad, gap, kernel, step in zip(
            (rows, columns), geometry.padding, geometry.dilation, weight.shape[2:], geometry.stride, strict=True
        )
    ]
    shape = (len(weight), size[0], size[1])
    own, layer = node.name, path(node)
    summed = own if bias is None else f"{own}.sum"
    convolution = Convolution(layer, state.value(source), summed, term, weight, geometry, groups, weight_bits, step)
    state.add(node, convolution, shape)
    if bias is not None:
        offset = _numpy(state.program.constant(bias))
        state.add(node, Affine(layer, summed, own, np.ones(len(offset)), offset), shape)


def _conv2d(state: Capture, node: Node) -> None:
    a = _arguments(node)
    if a.get("transposed") or isinstance(a["padding"], str):
        raise UnsupportedError("must not be transposed, and padded by numbers")
    geometry = Geometry(_pair(a["stride"]), _pair(a["padding"]), _pair(a["dilation"]))
    weight = _numpy(state.program.constant(a["weight"]))
    if weight.ndim != 4:
        raise UnsupportedError("must be over two axes")
    step = quantised.weight_step(state.program, a["weight"])
    _convolve(state, node, a["input"], weight, a["bias"], "mac", geometry, a["groups"], step=step)


def _linear(state: Capture, node: Node) -> None:
    a = _arguments(node)
    if len(a["input"].meta["val"].shape) != 2:
        raise UnsupportedError("must be of rows of features")
    weight = _numpy(state.program.constant(a["weight"]))[:, :, None, None]
    step = quantised.weight_step(state.program, a["weight"])
    _convolve(state, node, a["input"], weight, a["bias"], "mac", Geometry(), 1, step=step)


_TERMS: dict[str, Term] = {"mac": "mac", "shift": "shift", "binary_add": "binary"}


def _product(state: Capture, node: Node) -> None:
    a = _arguments(node)
    geometry = Geometry(_pair(a["stride"]), _pair(a["padding"]), _pair(a["dilation"]))
    weight, form = _numpy(state.program.constant(a["weight"])), a["weight_format"]
    bits = int(form.removeprefix("int")) if form.startswith("int") else None
    _convolve(state, node, a["x"], weight, None, _TERMS[a["primitive"]], geometry, a["groups"], bits)


def _adder(state: Capture, node: Node) -> None:
    a = _arguments(node)
    geometry = Geometry(_pair(a["stride"]), _pair(a["padding"]), _pair(a["dilation"]))
    weight = _numpy(state.program.constant(a["weight"]))
    _convolve(state, node, a["x"], weight, None, "adder", geometry, a["groups"])


def _batch_norm(state: Capture, node: Node) -> None:
    a = {name: state.program.constant(value) for name, value in _arguments(node).items() if name != "input"}
    source = _arguments(node)["input"]
    if a.get("training"):
        raise UnsupportedError("must be in evaluation mode")
    shape = state.image(source)
    scale = 1 / np.sqrt(_numpy(a["running_var"]) + a["eps"])
    scale = scale if a["weight"] is None else scale * _numpy(a["weight"])
    offset = -_numpy(a["running_mean"]) * scale
    offset = offset if a["bias"] is None else offset + _numpy(a["bias"])
    state.add(node, Affine(path(node), state.value(source), node.name, scale, offset), shape)


def _clip(low: float = -math.inf, high: float = math.inf) -> Rule:
    def rule(state: Capture, node: Node) -> None:
        a = _arguments(node)
        source = a.get("self", a.get("input"))
        limits = [a.get("min_val", a.get("min", low)), a.get("max_val", a.get("max", high))]
        least, most = (
            other if limit is None else float(limit) for limit, other in zip(limits, (low, high), strict=True)
        )
        state.add(node, Clip(path(node), state.value(source), node.name, least, most), state.image(source))

    return rule


def _sum(sign: int) -> Rule:
    def rule(state: Capture, node: Node) -> None:
        a = _arguments(node)
        first, second, factor = a["self"], a["other"], sign * a["alpha"]
        if not isinstance(first, Node) or first.name in state.program.constants:
            raise UnsupportedError("must begin with a value")
        shape = state.image(first)
        if isinstance(second, Node) and second.name in state.values:
            if factor != 1 or state.image(second) != shape:
                raise UnsupportedError("must be of two images of one shape")
            operator: Operator = Add(path(node), state.value(first), node.name, state.value(second))
        else:
            offset = factor * _per_channel(state, node, second, shape)
            operator = Affine(path(node), state.value(first), node.name, np.ones(shape[0]), offset)
        state.add(node, operator, shape)

    return rule


def _scale(divide: bool) -> Rule:
    def rule(state: Capture, node: Node) -> None:
        a = _arguments(node)
        first, second = a["self"], a["other"]
        if not divide and isinstance(first, Node) and first.name in state.program.constants:
            first, second = second, first
        if not isinstance(first, Node) or (isinstance(second, Node) and second.name in state.values):
            raise UnsupportedError("must be by a constant")
        shape = state.image(first)
        factor = _per_channel(state, node, second, shape)
        factor = 1 / factor if divide else factor
        state.add(node, Affine(path(node), state.value(first), node.name, factor, np.zeros(shape[0])), shape)

    return rule


def _per_channel(state: Capture, node: Node, argument: Any, shape: Image) -> Array:
    """Return a constant as a number per channel."""
    constant = state.program.constant(argument)
    values = np.asarray(constant.double().numpy() if isinstance(constant, torch.Tensor) else float(constant))
    axes = (1, *shape) if len(node.meta["val"].shape) == 4 else (1, math.prod(shape))
    full = np.broadcast_to(values, axes)
    per_channel = full.reshape(shape[0], -1) if full.size == math.prod(shape) else full
    if not (per_channel == per_channel[:, :1]).all():
        raise UnsupportedError("must be the same for all pixels of a channel")
    return np.array(per_channel[:, 0])


def _pool(state: Capture, node: Node, maximum: bool, kernel: Any, geometry: Geometry, factor: float) -> None:
    source = node.args[0]
    channels = state.image(source)[0]
    result = node.meta["val"].shape
    operator = Pool(path(node), state.value(source), node.name, maximum, _pair(kernel), geometry, factor)
    shape = (channels, result[-2], result[-1]) if len(result) == 4 else (channels, 1, 1)
    state.add(node, operator, shape)


def _max_pool(state: Capture, node: Node) -> None:
    a = _arguments(node)
    geometry = Geometry(_pair(a["stride"] or a["kernel_size"]), _pair(a["padding"]), _pair(a["dilation"]))
    if a["ceil_mode"]:
        raise UnsupportedError("must not have ceil_mode")
    _pool(state, node, True, a["kernel_size"], geometry, 1.0)


def _average_pool(state: Capture, node: Node) -> None:
    a = _arguments(node)
    kernel, padding = _pair(a["kernel_size"]), _pair(a["padding"])
    if a["ceil_mode"] or (any(padding) and not a["count_include_pad"]):
        raise UnsupportedError("must have neither ceil_mode nor windows of different sizes")
    divisor = a["divisor_override"] or math.prod(kernel)
    geometry = Geometry(_pair(a["stride"] or kernel), padding)
    _pool(state, node, False, kernel, geometry, 1 / divisor)


def _adaptive_pool(state: Capture, node: Node) -> None:
    _, *size = state.image(node.args[0])
    wanted = _pair(_arguments(node)["output_size"])
    if any(extent % output for extent, output in zip(size, wanted, strict=True)):
        raise UnsupportedError(f"must divide its {size[0]} x {size[1]} pixels")
    kernel = (size[0] // wanted[0], size[1] // wanted[1])
    _pool(state, node, False, kernel, Geometry(kernel), 1 / math.prod(kernel))


def _mean(state: Capture, node: Node) -> None:
    source, axes = node.args[0], _arguments(node)["dim"] or ()
    if len(source.meta["val"].shape) != 4 or {axis % 4 for axis in axes} != {2, 3}:  # type: ignore[union-attr]
        raise UnsupportedError("must be over rows and columns")
    _, *size = state.image(source)
    kernel = (size[0], size[1])
    _pool(state, node, False, kernel, Geometry(kernel), 1 / math.prod(kernel))


def _same(state: Capture, node: Node) -> None:
    """A node that hands its input on: another view of the same features of each sample, or what training alone does."""
    source = node.args[0]
    before, after = source.meta["val"].shape, node.meta["val"].shape  # type: ignore[union-attr]
    image = state.image(source)
    flat = after[0] == before[0] and math.prod(after[1:]) == math.prod(image) and math.prod(after[2:]) == 1
    if tuple(after) != tuple(before) and not flat and tuple(after[1:]) != image:
        raise UnsupportedError("must keep images or flatten them")
    state.values[node.name] = state.value(source)


def _rounded(state: Capture, node: Node) -> None:
    a = _arguments(node)
    _same(state, node)
    if not state.program.constant(a["origin"]).any():
        step, low, high = float(state.program.constant(a["step"])), float(a["low"]), float(a["high"])
        known = state.steps.get(state.value(node))
        if known is None or high - low < known[2] - known[1]:  # of several roundings, that to the fewest integers
            state.steps[state.value(node)] = (step, low, high)


def _quantise(state: Capture, node: Node) -> None:
    """Integers of a grid, which `_dequantise` makes numbers of."""
    state.values[node.name] = state.value(node.args[0])


def _dequantise(state: Capture, node: Node) -> None:
    """Numbers of a grid: limits and, if nothing else is known, a scale."""
    step, low, high = quantised.grid(node)
    value = state.value(node.args[0])
    if value == state.program.input.name:
        state.values[node.name] = value
    else:
        state.add(node, Clip(path(node), value, node.name, low * step, high * step), state.image(node.args[0]))
    state.steps[state.value(node)] = step, low, high


def _first(state: Capture, node: Node) -> None:
    """The first of several results of a batch norm."""
    if node.args[1] != 0:
        raise UnsupportedError(NO_COMMAND)
    state.values[node.name] = state.value(node.args[0])


RULES: dict[str, Rule] = {
    "aten.conv2d": _conv2d, "aten.convolution": _conv2d, "aten.linear": _linear,
    "hwsim.product_conv2d": _product, "hwsim.adder_conv2d": _adder, "hwsim.round_to_grid": _rounded,
    "quantized_decomposed.quantize_per_tensor": _quantise, "quantized_decomposed.dequantize_per_tensor": _dequantise,
    "aten._native_batch_norm_legit_no_training": _batch_norm, "aten.batch_norm": _batch_norm, "getitem": _first,
    "aten.relu": _clip(low=0.0), "aten.relu6": _clip(0.0, 6.0), "aten.hardtanh": _clip(), "aten.clamp": _clip(),
    "aten.clamp_min": _clip(), "aten.add": _sum(1), "aten.sub": _sum(-1), "aten.mul": _scale(False),
    "aten.div": _scale(True), "aten.max_pool2d": _max_pool, "aten.avg_pool2d": _average_pool,
    "aten.adaptive_avg_pool2d": _adaptive_pool, "aten.mean": _mean,
    **dict.fromkeys(
        ["aten.view", "aten.reshape", "aten.flatten", "aten._unsafe_view", "aten.unsqueeze", "aten.squeeze",
         "aten.clone", "aten.alias", "aten.contiguous", "aten.detach", "aten.dropout", "aten.to", "aten._to_copy"],
        _same,
    ),
}  # fmt: skip
"""The rule of every known operator, by its name without overload."""
