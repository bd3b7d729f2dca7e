"""One elementwise operator in place of several that it fuses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import get_args

from hwsim.workload.operator import Access, Arithmetic, Operand, Operator, Role
from hwsim.workload.uses import Uses, reads, storage_of, writes

_ORDER: Mapping[Role, int] = {"parameter": 0, "gradient": 1, "state": 2, "activation": 3, "index": 4}


def merged(members: Mapping[int, Operator], uses: Uses) -> Operator:
    """Return the operator that does what ``members`` do (by their index), touching only what others see.

    Its iteration space has the greatest common divisor of their sizes, so that the arithmetic of a point is exact.
    The name is that of the first member.
    """
    operators = list(members.values())
    made = {operand.tensor for operator in operators for operand in writes(operator)} - {""}
    read = [operand for operator in operators for operand in reads(operator) if operand.tensor not in made]
    written = [
        operand for operator in operators for operand in writes(operator)
        if not uses.stays(operand.tensor, frozenset(members))
    ]  # fmt: skip
    points = math.gcd(*(operator.points for operator in operators))
    sources = dict.fromkeys(part for operator in operators for part in operator.source.split(" + ") if part)
    operands = (*_numbered("input", _once(read, uses), "read"), *_numbered("output", written, "write"))
    return operators[0].model_copy(
        update={
            "dims": {"x": points},
            "operands": operands,
            "reduced": _reduced(operators, operands),
            "arithmetic": _arithmetic(operators, points),
            "source": " + ".join(sources),
        }
    )


def operations(operators: Iterable[Operator]) -> dict[Arithmetic, Fraction]:
    """Return the elementary operations of one execution of all ``operators``, exactly."""
    totals: dict[Arithmetic, Fraction] = {}
    for operator in operators:
        for kind, times in operator.arithmetic.items():
            totals[kind] = totals.get(kind, Fraction(0)) + Fraction(times) * operator.points
    return totals


def _arithmetic(operators: Sequence[Operator], points: int) -> dict[Arithmetic, float]:
    totals = operations(operators)
    return {kind: float(totals[kind] / points) for kind in get_args(Arithmetic) if totals.get(kind)}


def _reduced(operators: Sequence[Operator], operands: Sequence[Operand]) -> tuple[int, ...]:
    """Axes of the first statistic that is taken over a tensor of the shape of the largest that is left."""
    shape = max(operands, key=lambda operand: operand.elements).shape if operands else ()
    statistics = (operator for operator in operators if operator.reduced)
    return next((operator.reduced for operator in statistics if operator.largest.shape == shape), ())


def _once(read: Sequence[Operand], uses: Uses) -> list[Operand]:
    """Join the reads of one tensor: different parts of it add up, at most to the whole."""
    of_tensor: dict[object, list[Operand]] = {}
    for index, operand in enumerate(read):
        of_tensor.setdefault(operand.tensor or index, []).append(operand)
    return [_joined(same, uses) for same in of_tensor.values()]


def _joined(same: Sequence[Operand], uses: Uses) -> Operand:
    if len(same) == 1:
        return same[0]
    elements = min(sum(operand.elements for operand in same), uses.extents[storage_of(same[0].tensor)])
    shape = next((operand.shape for operand in same if operand.elements == elements), (elements,))
    return same[0].model_copy(update={"shape": shape})


def _numbered(name: str, operands: Iterable[Operand], access: Access) -> list[Operand]:
    """Order ``operands`` by role and size, not by the order in which one implementation touched them."""
    ordered = sorted(operands, key=lambda operand: (_ORDER[operand.role], -operand.elements))
    return [
        operand.model_copy(update={"name": f"{name}{index}", "access": access, "projection": ()})
        for index, operand in enumerate(ordered)
    ]
