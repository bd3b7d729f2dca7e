"""Rules of pooling."""

from __future__ import annotations

import math
from typing import Any

from torch.fx import Node

from flows.compile.operators import Geometry, Pool
from flows.compile.program import UnsupportedError, path
from flows.compile.reading import Reading, Rule, arguments, first_input, pair


def _pool(state: Reading, node: Node, maximum: bool, kernel: Any, geometry: Geometry, factor: float) -> None:
    source = first_input(node)
    channels = state.image(source)[0]
    result = node.meta["val"].shape
    operator = Pool(path(node), state.value(source), node.name, maximum, pair(kernel), geometry, factor)
    shape = (channels, result[-2], result[-1]) if len(result) == 4 else (channels, 1, 1)
    state.add(node, operator, shape)


def _max_pool(state: Reading, node: Node) -> None:
    a = arguments(node)
    geometry = Geometry(pair(a["stride"] or a["kernel_size"]), pair(a["padding"]), pair(a["dilation"]))
    if a["ceil_mode"]:
        raise UnsupportedError("must not have ceil_mode")
    _pool(state, node, True, a["kernel_size"], geometry, 1.0)


def _average_pool(state: Reading, node: Node) -> None:
    a = arguments(node)
    kernel, padding = pair(a["kernel_size"]), pair(a["padding"])
    if a["ceil_mode"] or (any(padding) and not a["count_include_pad"]):
        raise UnsupportedError("must have neither ceil_mode nor windows of different sizes")
    divisor = a["divisor_override"] or math.prod(kernel)
    geometry = Geometry(pair(a["stride"] or kernel), padding)
    _pool(state, node, False, kernel, geometry, 1 / divisor)


def _adaptive_pool(state: Reading, node: Node) -> None:
    _, *size = state.image(first_input(node))
    wanted = pair(arguments(node)["output_size"])
    if any(extent % output for extent, output in zip(size, wanted, strict=True)):
        raise UnsupportedError(f"must divide its {size[0]} x {size[1]} pixels")
    kernel = (size[0] // wanted[0], size[1] // wanted[1])
    _pool(state, node, False, kernel, Geometry(kernel), 1 / math.prod(kernel))


def _mean(state: Reading, node: Node) -> None:
    source, axes = first_input(node), arguments(node)["dim"] or ()
    if len(source.meta["val"].shape) != 4 or {axis % 4 for axis in axes} != {2, 3}:
        raise UnsupportedError("must be over rows and columns")
    _, *size = state.image(source)
    kernel = (size[0], size[1])
    _pool(state, node, False, kernel, Geometry(kernel), 1 / math.prod(kernel))


RULES: dict[str, Rule] = {
    "aten.max_pool2d": _max_pool, "aten.avg_pool2d": _average_pool,
    "aten.adaptive_avg_pool2d": _adaptive_pool, "aten.mean": _mean,
}  # fmt: skip
