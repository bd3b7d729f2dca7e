"""Operators as a GPU runs them: one kernel each, as a matrix product or as a stream of elements."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwsim import formats
from hwsim.mapping.lowering import matrix_product
from hwsim.workload.operator import MAIN_OPERANDS, Operand, Operator

Numbers = NDArray[np.float64]

Part = Literal["forward", "backward", "optimizer"]
"""Part of a step, by which the host's work on an operator differs."""

_PARTS: dict[str, Part] = {"forward": "forward", "optimizer": "optimizer", "control": "forward"}
_SPATIAL = frozenset("pqrs")
_ATTENTION = "scaled_dot_product"
_IMAGES = 0
"""Axis of the images of a batch."""
_ROW_BITS = 128
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
    is_inner: bool = False
    """Whether it is a part of another kernel, which keeps its results on chip."""
    is_convolution: bool = False
    is_aligned: bool = True
    """Whether rows of its matrices begin at multiples of 16 bytes, as matrix units want them."""
    is_planar: bool = False
    """Whether it takes sums over all images plane by plane and reads them again, as batch normalisations do."""


def kernel_of(operator: Operator, *, one_kernel: bool = True) -> Kernel:
    """Return what one execution of ``operator`` asks of a GPU.

    Parameters
    ----------
    one_kernel
        Whether attention that PyTorch calls as one operator is one kernel, which keeps its scores on chip, as it has
        been since 2023.
    """
    part, inner = part_of(operator), one_kernel and is_inner(operator)
    moved = sum(one.bits for one in operator.operands if not (one_kernel and _is_inside_attention(one, operator))) / 8
    if not operator.is_contraction:
        work = operator.points * sum(operator.arithmetic.values())
        return Kernel(
            part, _widest(operator), 0, 0, 0, 0, work, moved, is_inner=inner, is_planar=_IMAGES in operator.reduced
        )
    product = matrix_product(operator)
    factors = (product.first.format, product.second.format)
    widest = max(factors, key=lambda name: formats.parse(name).bits)
    is_convolution = bool(operator.dims.keys() & _SPATIAL)
    return Kernel(
        part, widest, product.m, product.k, product.n, product.repeats, 2.0 * operator.macs, moved,
        _images(operator) if is_convolution else 0.0, is_inner=inner, is_convolution=is_convolution,
        is_aligned=is_convolution or _is_aligned(operator),
    )  # fmt: skip


def laid_out(kernel: Kernel, *, channels_last: bool, padded_rows: bool) -> Kernel:
    """Return ``kernel`` on tensors that software keeps as `hwsim.architecture.Gpu` says."""
    if channels_last:
        kernel = kernel._replace(images=0.0, is_planar=False)
    return kernel._replace(is_aligned=True) if padded_rows else kernel


def is_inner(operator: Operator) -> bool:
    """Whether ``operator`` is a part of attention whose results stay in its kernel."""
    return any(_is_inside_attention(one, operator) for one in operator.operands if one.access == "write")


def _is_inside_attention(operand: Operand, operator: Operator) -> bool:
    # a traced call of attention names its scores after its result: storage.version.scores
    return operand.tensor.count(".") > 1 and _ATTENTION in operator.source


def _images(operator: Operator) -> float:
    return (operator.operand("input").bits + operator.operand("output").bits) / 8


def _is_aligned(operator: Operator) -> bool:
    factors = (operator.operand(name) for name in MAIN_OPERANDS)
    return all(one.shape[-1] * formats.parse(one.format).bits % _ROW_BITS == 0 for one in factors if one.shape)


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
    is_inner: NDArray[np.bool_]
    is_convolution: NDArray[np.bool_]
    is_aligned: NDArray[np.bool_]
    is_planar: NDArray[np.bool_]
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
