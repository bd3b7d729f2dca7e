"""Rules of operators on single values: clips, sums, factors."""

from __future__ import annotations

import math

import numpy as np
from torch.fx import Node

from flows.compile.operators import Add, Affine, Clip, Operator
from flows.compile.program import UnsupportedError, path
from flows.compile.reading import Reading, Rule, arguments, per_channel


def _clip(low: float = -math.inf, high: float = math.inf) -> Rule:
    def rule(state: Reading, node: Node) -> None:
        a = arguments(node)
        source = a.get("self", a.get("input"))
        limits = [a.get("min_val", a.get("min", low)), a.get("max_val", a.get("max", high))]
        least, most = (
            other if limit is None else float(limit) for limit, other in zip(limits, (low, high), strict=True)
        )
        state.add(node, Clip(path(node), state.value(source), node.name, least, most), state.image(source))

    return rule


def _sum(sign: int) -> Rule:
    def rule(state: Reading, node: Node) -> None:
        a = arguments(node)
        first, second, factor = a["self"], a["other"], sign * a["alpha"]
        if not isinstance(first, Node) or first.name in state.program.constants:
            raise UnsupportedError("must begin with a value")
        shape = state.image(first)
        if isinstance(second, Node) and second.name in state.values:
            if factor != 1 or state.image(second) != shape:
                raise UnsupportedError("must be of two images of one shape")
            operator: Operator = Add(path(node), state.value(first), node.name, state.value(second))
        else:
            offset = factor * per_channel(state, node, second, shape)
            operator = Affine(path(node), state.value(first), node.name, np.ones(shape[0]), offset)
        state.add(node, operator, shape)

    return rule


def _scale(divide: bool) -> Rule:
    def rule(state: Reading, node: Node) -> None:
        a = arguments(node)
        first, second = a["self"], a["other"]
        if not divide and isinstance(first, Node) and first.name in state.program.constants:
            first, second = second, first
        if not isinstance(first, Node) or (isinstance(second, Node) and second.name in state.values):
            raise UnsupportedError("must be by a constant")
        shape = state.image(first)
        factor = per_channel(state, node, second, shape)
        factor = 1 / factor if divide else factor
        state.add(node, Affine(path(node), state.value(first), node.name, factor, np.zeros(shape[0])), shape)

    return rule


RULES: dict[str, Rule] = {
    "aten.relu": _clip(low=0.0), "aten.relu6": _clip(0.0, 6.0), "aten.hardtanh": _clip(), "aten.clamp": _clip(),
    "aten.clamp_min": _clip(), "aten.add": _sum(1), "aten.sub": _sum(-1), "aten.mul": _scale(False),
    "aten.div": _scale(True),
}  # fmt: skip
