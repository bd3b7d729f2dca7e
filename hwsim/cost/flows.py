"""How many words of every operand pass each memory when an operator that is no contraction runs.

Streams pass every level once. Three things make a word pass more often:

* a statistic over a *group* of elements (a row of a softmax, a channel of a batch normalisation) is taken before the
  same elements are used: they are read twice, the second time from the outermost memory on chip that holds a whole
  group, or from the external memory if none does;
* windows overlap (pooling): every window reads its elements from the memory that holds the rows of a window;
* gathers and scatters touch the external memory row by row, in whole bursts (`hwsim.cost.gather`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from hwsim import formats
from hwsim.architecture import Architecture
from hwsim.workload.operator import Operand, Operator, affine

PASSES = 2  # a statistic, then its use


class Flow(NamedTuple):
    """One operand on its way."""

    operand: str
    bits: float
    """Width of a word."""
    words: tuple[float, ...]
    """Words that pass each of ``architecture.stream_levels``."""


def streamed(operand: Operand, architecture: Architecture) -> Flow:
    """Every element once at every level."""
    levels = len(architecture.stream_levels)
    return Flow(operand.name, width(operand), (float(operand.elements),) * levels)


def flows_of(operator: Operator, architecture: Architecture) -> list[Flow]:
    """Flows of an operator whose addresses are known beforehand."""
    again = _read_again(operator)
    group_bits = _group(operator) * sum(width(operand) for operand in again)
    flows = []
    for operand in operator.operands:
        flow = streamed(operand, architecture)
        if operand in again:
            flow = _repeated(flow, PASSES * operand.elements, group_bits, architecture)
        elif operand.access == "read" and _overlaps(operator, operand):
            flow = _repeated(flow, operator.points, _window_rows(operator, operand) * flow.bits, architecture)
        flows.append(flow)
    return flows


def width(operand: Operand) -> int:
    """Bits of one element."""
    return formats.parse(operand.format).bits


def _repeated(flow: Flow, words: float, held_bits: float, architecture: Architecture) -> Flow:
    """``words`` instead of every element once, at all levels from the outermost that holds ``held_bits`` inwards."""
    home = holder(held_bits, architecture)
    return flow._replace(words=tuple(words if k >= home else once for k, once in enumerate(flow.words)))


def holder(bits: float, architecture: Architecture) -> int:
    """Index of the outermost level on chip that holds ``bits`` bits, 0 (the external memory) if none does."""
    levels = architecture.stream_levels
    return next((k for k in range(1, len(levels)) if levels[k].capacity_bits >= bits), 0)


def _read_again(operator: Operator) -> list[Operand]:
    """What a statistic and its use both read: all operands as large as the largest."""
    if not operator.reduced:
        return []
    most = operator.largest.elements
    return [operand for operand in operator.operands if operand.access == "read" and operand.elements == most]


def _group(operator: Operator) -> int:
    return math.prod(operator.largest.shape[axis] for axis in operator.reduced)


def _overlaps(operator: Operator, operand: Operand) -> bool:
    return operator.points > operand.elements and any(len(_terms(axis)) > 1 for axis in operand.projection)


def _window_rows(operator: Operator, operand: Operand) -> int:
    """Elements of the rows that one row of windows covers, in the plane (or volume) that windows slide over."""
    axes = zip(operand.projection, operand.shape, strict=True)
    slid = [(_terms(axis), extent) for axis, extent in axes if len(_terms(axis)) > 1]
    (first, extent), *inner = slid
    _, (within, step) = first  # the dimension that places a window, then the one within it
    rows = min(extent, (operator.dims[within] - 1) * step + 1)
    return rows * math.prod(extent for _, extent in inner)


def _terms(axis: str) -> list[tuple[str, int]]:
    return [(name, step) for name, step in affine(axis).items() if name]
