"""Operators that do a fixed amount of arithmetic per element of their largest tensor."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from hwsim.trace import dataflow
from hwsim.trace.lowering.call import Call
from hwsim.workload.operator import Operand, Operator, Primitive
from hwsim.workload.prices import SERIES, Cost, cost, function

__all__ = ["SERIES", "Cost", "Rule", "aligned", "cost", "function", "nothing", "over_largest"]

Rule = Callable[[Call], list[Operator]]


def aligned(price: Cost | Callable[[Call], Cost]) -> Rule:
    """Make a rule for an elementwise operator, whose operands broadcast against each other."""

    def rule(call: Call) -> list[Operator]:
        operands = call.operands()
        written = [operand for operand in operands if operand.access == "write"]
        shape = max(written, key=lambda operand: operand.elements).shape
        points = math.prod(shape)
        if not points:
            return []
        if all(operand.elements in (0, points) for operand in operands):
            return [_operator(call, {"x": points}, operands, price)]
        dims = {f"x{axis}": size for axis, size in enumerate(shape)}
        return [_operator(call, dims, tuple(_project(o, len(shape)) for o in operands), price)]

    return rule


def over_largest(price: Cost | Callable[[Call], Cost], primitive: Primitive = "elementwise") -> Rule:
    """Make a rule for a reduction, normalisation, copy ...: one point per element of the largest tensor."""

    def rule(call: Call) -> list[Operator]:
        touched = [*dataflow.reads(call.record), *dataflow.writes(call.record)]
        points = max((ref.elements for _, ref in touched), default=0)
        return [_operator(call, {"x": points}, call.operands(), price, primitive)] if points else []

    return rule


def nothing(call: Call) -> list[Operator]:
    """Lower an operator that moves and computes nothing."""
    return []


def _operator(
    call: Call, dims: dict[str, int], operands: tuple[Operand, ...], price: Any, primitive: Primitive = "elementwise"
) -> Operator:
    arithmetic = dict(price(call) if callable(price) else price)
    return call.operator(primitive=primitive, dims=dims, operands=operands, arithmetic=arithmetic)


def _project(operand: Operand, rank: int) -> Operand:
    if not operand.elements:
        return operand
    offset = rank - len(operand.shape)
    axes = tuple("0" if size == 1 else f"x{offset + axis}" for axis, size in enumerate(operand.shape))
    return operand.model_copy(update={"projection": axes})
