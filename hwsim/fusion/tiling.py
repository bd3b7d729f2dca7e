"""Tiles of the operators of a chain: which numbers of tiles agree, what a tile is, and what must be kept for it.

A chain runs in ``tiles`` equal parts. A part is a range of leading rows of every tensor of the chain (samples, tokens,
rows of a score matrix), or, in images, some rows of pixels of one sample, in all channels. Where windows overlap, the
rows that the next part needs again are kept (line buffers); nothing is computed twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from hwsim import formats
from hwsim.fusion.chains import Link
from hwsim.workload.operator import Operand, Operator, affine

Part = Literal["rows", "pixels"]
"""Leading rows, or rows of pixels within each sample."""

SPATIAL = frozenset("pqrs")


@dataclass(frozen=True)
class Tiling:
    """How often a chain is cut, and along what."""

    part: Part
    tiles: int


def is_pointwise(operator: Operator) -> bool:
    """Whether every element of the result needs only the elements at its own place."""
    plain = operator.primitive in {"elementwise", "copy"} and not operator.reduced
    return plain and not any(_slides(operand) for operand in operator.operands)


def agrees(operator: Operator, tiling: Tiling) -> bool:
    """Whether the operator can run in these parts, one after another, each from the matching part of its input.

    A copy may change the order of axes, so that only all of it matches.
    """
    tiles = tiling.tiles
    if operator.primitive == "copy" and tiles > 1:
        return False
    outer, inner = _rows(operator) if tiling.part == "rows" else _pixel_rows(operator)
    if tiling.part == "rows" and outer % tiles == 0:
        return True
    return outer > 0 and tiles % outer == 0 and inner % (tiles // outer) == 0


def tilings_of(operator: Operator) -> list[Tiling]:
    """All ways to cut the chain that begins with ``operator``, fewest tiles first."""
    outer, inner = _rows(operator)
    counts = {*_divisors(outer), *(outer * part for part in _divisors(inner))}
    samples, pixels = _pixel_rows(operator)
    rows = [Tiling("rows", tiles) for tiles in counts]
    images = [Tiling("pixels", samples * part) for part in _divisors(pixels) if part > 1] if samples else []
    return sorted([*rows, *images], key=lambda tiling: (tiling.tiles, tiling.part))


def tile_of(operator: Operator, tiling: Tiling) -> Operator:
    """One part of a contraction, halo included."""
    dims = dict(operator.dims)
    outer, inner = ("n", "p") if tiling.part == "pixels" else _row_dimensions(operator)
    left = tiling.tiles
    for name in (outer, inner):
        taken = math.gcd(left, dims.get(name, 1))
        if taken > 1:
            dims[name], left = dims[name] // taken, left // taken
    operands = tuple(_cut(one, operator.dims, dims) if one.projection else one for one in operator.operands)
    return operator.model_copy(update={"dims": dims, "operands": operands})


def tile_bits(link: Link, reader: Operator, tiling: Tiling) -> int:
    """Bits of the part of a link's tensor that one tile of ``reader`` uses."""
    return -(-link.written.bits // tiling.tiles) + halo_bits(link, reader, tiling)


def halo_bits(link: Link, reader: Operator, tiling: Tiling) -> int:
    """Bits that stay for the next part: rows of pixels that its windows see again."""
    if tiling.part == "rows" or not SPATIAL & reader.dims.keys():
        return 0
    steps = affine(link.read.projection[2])
    again = steps.get("r", 1) * (reader.dims.get("r", 1) - 1) + 1 - steps.get("p", 1)
    _, channels, _, columns = link.read.shape
    return max(again, 0) * channels * columns * formats.parse(link.read.format).bits


def _rows(operator: Operator) -> tuple[int, int]:
    """Leading rows of the result, and rows within each of them."""
    if operator.is_contraction:
        outer, inner = _row_dimensions(operator)
        return operator.dims.get(outer, 1), operator.dims.get(inner, 1)
    shape = operator.largest.shape
    if any(_slides(operand) for operand in operator.operands):
        return shape[0], 1
    if operator.reduced:
        return math.prod(shape[: min(operator.reduced)]), 1
    return operator.largest.elements, 1


def _row_dimensions(operator: Operator) -> tuple[str, str]:
    """Groups of a batched product are its leading rows; those of a convolution are channels."""
    if SPATIAL & operator.dims.keys():
        return "n", ""
    return ("g", "n") if operator.dims.get("g", 1) > 1 else ("n", "")


def _pixel_rows(operator: Operator) -> tuple[int, int]:
    """Samples and rows of pixels of the result, or zeros where these are no images or their rows depend on another."""
    if operator.is_contraction:
        if SPATIAL & operator.dims.keys() and operator.written.name == "output":
            return operator.dims.get("n", 1), operator.dims.get("p", 1)
        return 0, 0
    shape = operator.largest.shape
    if len(shape) != 4 or not is_pointwise(operator):
        return 0, 0
    return shape[0], shape[2]


def _slides(operand: Operand) -> bool:
    return any(len(affine(axis).keys() - {""}) > 1 for axis in operand.projection)


def _cut(operand: Operand, before: dict[str, int], after: dict[str, int]) -> Operand:
    shape = []
    for axis, extent in zip(operand.projection, operand.shape, strict=True):
        terms = {name: step for name, step in affine(axis).items() if name}
        changed = any(before[name] != after[name] for name in terms)
        span = 1 + sum(step * (after[name] - 1) for name, step in terms.items())
        shape.append(min(extent, span) if changed else extent)
    return operand.model_copy(update={"shape": tuple(shape)})


def _divisors(number: int) -> list[int]:
    small = [one for one in range(1, math.isqrt(number) + 1) if number % one == 0] if number else []
    return sorted({*small, *(number // one for one in small)})
