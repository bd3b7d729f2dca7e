"""Rules of products with weights and of batch norms."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch.fx import Node

from flows.compile import quantised
from flows.compile.operators import Affine, Array, Convolution, Geometry, Term
from flows.compile.program import UnsupportedError, path
from flows.compile.reading import NO_COMMAND, Reading, Rule, arguments, numpy_of, pair


def _convolve(
    state: Reading, node: Node, source: Any, weight: Array, bias: Any, term: Term, geometry: Geometry, groups: int,
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
        offset = numpy_of(state.program.constant(bias))
        state.add(node, Affine(layer, summed, own, np.ones(len(offset)), offset), shape)


def _conv2d(state: Reading, node: Node) -> None:
    a = arguments(node)
    if a.get("transposed") or isinstance(a["padding"], str):
        raise UnsupportedError("must not be transposed, and padded by numbers")
    geometry = Geometry(pair(a["stride"]), pair(a["padding"]), pair(a["dilation"]))
    weight = numpy_of(state.program.constant(a["weight"]))
    if weight.ndim != 4:
        raise UnsupportedError("must be over two axes")
    step = quantised.weight_step(state.program, a["weight"])
    _convolve(state, node, a["input"], weight, a["bias"], "mac", geometry, a["groups"], step=step)


def _linear(state: Reading, node: Node) -> None:
    a = arguments(node)
    if len(a["input"].meta["val"].shape) != 2:
        raise UnsupportedError("must be of rows of features")
    weight = numpy_of(state.program.constant(a["weight"]))[:, :, None, None]
    step = quantised.weight_step(state.program, a["weight"])
    _convolve(state, node, a["input"], weight, a["bias"], "mac", Geometry(), 1, step=step)


_TERMS: dict[str, Term] = {"mac": "mac", "shift": "shift", "binary_add": "binary"}


def _product(state: Reading, node: Node) -> None:
    a = arguments(node)
    geometry = Geometry(pair(a["stride"]), pair(a["padding"]), pair(a["dilation"]))
    weight, form = numpy_of(state.program.constant(a["weight"])), a["weight_format"]
    bits = int(form.removeprefix("int")) if form.startswith("int") else None
    _convolve(state, node, a["x"], weight, None, _TERMS[a["primitive"]], geometry, a["groups"], bits)


def _adder(state: Reading, node: Node) -> None:
    a = arguments(node)
    geometry = Geometry(pair(a["stride"]), pair(a["padding"]), pair(a["dilation"]))
    weight = numpy_of(state.program.constant(a["weight"]))
    _convolve(state, node, a["x"], weight, None, "adder", geometry, a["groups"])


def _batch_norm(state: Reading, node: Node) -> None:
    a = {name: state.program.constant(value) for name, value in arguments(node).items() if name != "input"}
    source = arguments(node)["input"]
    if a.get("training"):
        raise UnsupportedError("must be in evaluation mode")
    shape = state.image(source)
    scale = 1 / np.sqrt(numpy_of(a["running_var"]) + a["eps"])
    scale = scale if a["weight"] is None else scale * numpy_of(a["weight"])
    offset = -numpy_of(a["running_mean"]) * scale
    offset = offset if a["bias"] is None else offset + numpy_of(a["bias"])
    state.add(node, Affine(path(node), state.value(source), node.name, scale, offset), shape)


def _first(state: Reading, node: Node) -> None:
    """The first of several results of a batch norm."""
    if node.args[1] != 0:
        raise UnsupportedError(NO_COMMAND)
    state.same(node)


RULES: dict[str, Rule] = {
    "aten.conv2d": _conv2d, "aten.convolution": _conv2d, "aten.linear": _linear,
    "hwsim.product_conv2d": _product, "hwsim.adder_conv2d": _adder,
    "aten._native_batch_norm_legit_no_training": _batch_norm, "aten.batch_norm": _batch_norm, "getitem": _first,
}  # fmt: skip
