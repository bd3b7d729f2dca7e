"""Rules of nodes that hand their input on, and of grids that values were rounded to."""

from __future__ import annotations

import math

from torch.fx import Node

from flows.compile import quantised
from flows.compile.operators import Clip
from flows.compile.program import UnsupportedError, path
from flows.compile.reading import Reading, Rule, arguments, first_input


def _same(state: Reading, node: Node) -> None:
    """A node that hands its input on: another view of the same features of each sample, or what training alone does."""
    source = first_input(node)
    before, after = source.meta["val"].shape, node.meta["val"].shape
    image = state.image(source)
    flat = after[0] == before[0] and math.prod(after[1:]) == math.prod(image) and math.prod(after[2:]) == 1
    if tuple(after) != tuple(before) and not flat and tuple(after[1:]) != image:
        raise UnsupportedError("must keep images or flatten them")
    state.same(node)


def _rounded(state: Reading, node: Node) -> None:
    a = arguments(node)
    _same(state, node)
    if not state.program.constant(a["origin"]).any():
        step, low, high = float(state.program.constant(a["step"])), float(a["low"]), float(a["high"])
        known = state.steps.get(state.value(node))
        if known is None or high - low < known[2] - known[1]:  # of several roundings, that to the fewest integers
            state.steps[state.value(node)] = (step, low, high)


def _quantise(state: Reading, node: Node) -> None:
    """Integers of a grid, which `_dequantise` makes numbers of."""
    state.same(node)


def _dequantise(state: Reading, node: Node) -> None:
    """Numbers of a grid: limits and, if nothing else is known, a scale."""
    step, low, high = quantised.grid(node)
    source = first_input(node)
    value = state.value(source)
    if value == state.program.input.name:
        state.same(node)
    else:
        state.add(node, Clip(path(node), value, node.name, low * step, high * step), state.image(source))
    state.steps[state.value(node)] = step, low, high


RULES: dict[str, Rule] = {
    "hwsim.round_to_grid": _rounded,
    "quantized_decomposed.quantize_per_tensor": _quantise, "quantized_decomposed.dequantize_per_tensor": _dequantise,
    **dict.fromkeys(
        ["aten.view", "aten.reshape", "aten.flatten", "aten._unsafe_view", "aten.unsqueeze", "aten.squeeze",
         "aten.clone", "aten.alias", "aten.contiguous", "aten.detach", "aten.dropout", "aten.to", "aten._to_copy"],
        _same,
    ),
}  # fmt: skip
