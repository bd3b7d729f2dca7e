"""Operators as a GPU runs them: one kernel each, as a matrix product or as a stream of elements."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwsim import formats
from hwsim.mapping.lowering import matrix_product
from hwsim.workload.operator import Operator

Numbers = NDArray[np.float64]

Part = Literal["forward", "backward", "optimizer"]
"""Part of a step, by which the host's work on an operator differs."""

_PARTS: dict[str, Part] = {"forward": "forward", "optimizer": "optimizer", "control": "forward"}
_SPATIAL = frozenset("pqrs")
SKINNY = 9
"""Largest size at which more than as many products are no work for tiles: filters of a depthwise convolution."""


def part_of(operator: Operator) -> Part:
    """Return the part of the step that ``operator`` belongs to."""
    return _PARTS.get(operator.phase, "backward")


class Kernel(NamedTuple):
    """One operator; ``m``, ``k`` and ``n`` are zero where it is no matrix product."""

    part: Part
    format: str
    """Of the wider factor, or of the widest operand."""
    m: float
    k: float
    n: float
    repeats: float
    operations: float
    """Floating-point or integer operations; a multiply-accumulate is two."""
    bytes: float
    """Every operand once."""
    images: float = 0.0
    """Bytes of the images that a convolution reads and writes, which matrix units need with their channels last."""
    launched: bool = True
    """Whether the host starts it by itself; a library starts all steps of a recurrent layer in one call."""


def kernel_of(operator: Operator) -> Kernel:
    """Return what one execution of ``operator`` asks of a GPU."""
    part = part_of(operator)
    moved = operator.bits_moved / 8
    if not operator.is_contraction:
        work = operator.points * sum(operator.arithmetic.values())
        return Kernel(part, _widest(operator), 0, 0, 0, 0, work, moved)
    product = matrix_product(operator)
    factors = (product.first.format, product.second.format)
    widest = max(factors, key=lambda name: formats.parse(name).bits)
    return Kernel(
        part, widest, product.m, product.k, product.n, product.repeats, 2.0 * operator.macs, moved, _images(operator)
    )


def _images(operator: Operator) -> float:
    if not operator.dims.keys() & _SPATIAL:
        return 0.0
    return (operator.operand("input").bits + operator.operand("output").bits) / 8


def _widest(operator: Operator) -> str:
    return max((one.format for one in operator.operands), key=lambda name: formats.parse(name).bits)


@dataclass(frozen=True)
class Kernels:
    """Kernels by column; every array has one element per kernel."""

    part: NDArray[np.str_]
    format: NDArray[np.str_]
    m: Numbers
    k: Numbers
    n: Numbers
    repeats: Numbers
    operations: Numbers
    bytes: Numbers
    images: Numbers
    launched: NDArray[np.bool_]
    count: Numbers
    """How often each runs in a step."""

    @classmethod
    def of(cls, kernels: Iterable[tuple[Kernel, float]]) -> Kernels:
        """Stack kernels, each with its count."""
        rows = [(*kernel, count) for kernel, count in kernels]
        return cls(*(np.array(column) for column in zip(*rows, strict=True)))

    def __len__(self) -> int:
        return len(self.count)

    @property
    def is_product(self) -> NDArray[np.bool_]:
        """Which are matrix products."""
        return self.m > 0

    @property
    def is_tiled(self) -> NDArray[np.bool_]:
        """Which of these are large enough to be cut into tiles."""
        least = np.minimum(np.minimum(self.m, self.n), self.k)
        return self.is_product & ~((least <= SKINNY) & (self.repeats > SKINNY))
