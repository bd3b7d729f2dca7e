"""Row-stationary mappings of a convolution nest onto a chip with fixed ports.

Parameters (Eyeriss, JSSC 2017, Table II): ``m`` output channels and ``n`` images in the global buffer, ``e`` output
rows per strip, ``p`` filters and ``q`` channels that share a processing element, ``r`` sets of processing elements
for different channels and ``t`` for different filters. A set is R x e elements, one kernel row by one output row.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveInt

from hwsim.architecture.row_stationary_chip import RowStationaryChip
from hwsim.errors import HwsimError
from hwsim.files import Frozen
from hwsim.mapping.row_stationary import Nest

Integers = NDArray[np.int64]


class ChipMapping(Frozen):
    """One mapping; see the module docstring."""

    m: PositiveInt
    n: PositiveInt
    e: PositiveInt
    p: PositiveInt
    q: PositiveInt
    r: PositiveInt
    t: PositiveInt


SMALLEST = ChipMapping(m=1, n=1, e=1, p=1, q=1, r=1, t=1)


@dataclass(frozen=True)
class ChipMappings:
    """Mappings as parallel arrays, shape (count,) each."""

    m: Integers
    n: Integers
    e: Integers
    p: Integers
    q: Integers
    r: Integers
    t: Integers

    @classmethod
    def of(cls, mapping: ChipMapping) -> ChipMappings:
        """Hold one mapping."""
        return cls(**{name: np.array([value], np.int64) for name, value in mapping.model_dump().items()})

    def __len__(self) -> int:
        return len(self.m)

    def __getitem__(self, index: int) -> ChipMapping:
        return ChipMapping(**{field.name: int(getattr(self, field.name)[index]) for field in fields(self)})


def patch_rows(nest: Nest, rows: Integers) -> Integers:
    """Input rows, padding included, under ``rows`` output rows."""
    return (rows - 1) * nest.stride[0] + (nest.r - 1) * nest.dilation[0] + 1


def patch_columns(nest: Nest) -> int:
    """Input columns, padding included."""
    return (nest.f - 1) * nest.stride[1] + (nest.s - 1) * nest.dilation[1] + 1


def buffered_words(nest: Nest, t: ChipMappings) -> Integers:
    """Words of partial sums and inputs in the global buffer."""
    inputs = t.q * t.r * t.n * patch_rows(nest, t.e) * patch_columns(nest)
    return t.m * t.n * t.e * nest.f + inputs


def check(nest: Nest, mapping: ChipMapping, chip: RowStationaryChip) -> None:
    """Raise `HwsimError`, naming the limit, what is needed and what is there, unless ``mapping`` is legal."""
    one = ChipMappings.of(mapping)
    pads = chip.scratchpads
    limits = (
        ("e", mapping.e, "output rows", nest.e),
        ("n", mapping.n, "images", nest.n),
        ("p * t", mapping.p * mapping.t, "output channels in the mapping's part of the buffer", mapping.m),
        ("p", mapping.p, "partial sums in a scratchpad", pads.psum_words),
        ("q * S", mapping.q * nest.s, "input words in a scratchpad", pads.input_words),
        ("p * q * S", mapping.p * mapping.q * nest.s, "filter words in a scratchpad", pads.filter_words),
        ("r * t", mapping.r * mapping.t, f"sets of {nest.r} x {mapping.e} elements", sets(nest.r, mapping.e, chip)),
        ("buffer", int(buffered_words(nest, one)[0]), "words in the global buffer", chip.buffer_words),
    )
    for name, need, what, size in limits:
        if need > size:
            raise HwsimError(f"mapping needs {name} = {need}, but there are {size} {what}")


def sets(kernel_rows: int, strip_rows: int, chip: RowStationaryChip) -> int:
    """How many sets of ``kernel_rows`` x ``strip_rows`` elements fit; a set wider than the array is folded."""
    folds = math.ceil(strip_rows / chip.columns)
    across = chip.columns // strip_rows if folds == 1 else 1
    return across * (chip.rows // (kernel_rows * folds))


@lru_cache(maxsize=4096)
def useful(number: int, limit: int) -> tuple[int, ...]:
    """Tile sizes up to ``limit`` for which the number of tiles of ``number`` is smaller than for any smaller size."""
    sizes = {math.ceil(number / count) for count in range(1, math.isqrt(number) + 2)}
    sizes |= set(range(1, math.isqrt(number) + 2))
    counts: dict[int, int] = {}
    for size in sorted(size for size in sizes if size <= min(limit, number)):
        counts.setdefault(math.ceil(number / size), size)
    return tuple(sorted(counts.values()))


def mappings(nest: Nest, chip: RowStationaryChip) -> Iterator[ChipMappings]:
    """Yield every mapping that could be best, those of one of `strips` at a time."""
    for e, images in strips(nest):
        found = on_strip(nest, chip, e, images)
        if found is not None:
            yield found


def strips(nest: Nest) -> list[tuple[int, int]]:
    """Heights of a strip and numbers of images that save a pass."""
    return list(itertools.product(useful(nest.e, nest.e), useful(nest.n, nest.n)))


def on_strip(nest: Nest, chip: RowStationaryChip, e: int, images: int) -> ChipMappings | None:
    """Return the mappings of one strip and number of images that could be best, None if none fits.

    These are the sizes that save a pass, and the most output channels that the buffer holds.
    """
    pads, available = chip.scratchpads, sets(nest.r, e, chip)
    pairs = [(r, t) for r in useful(nest.c, available) for t in useful(nest.m, available // r)]
    shares = [
        (p, q)
        for q in useful(nest.c, pads.input_words // nest.s)
        for p in useful(nest.m, min(pads.psum_words, pads.filter_words // (q * nest.s)))
    ]
    if not pairs or not shares:
        return None
    (r, t), (p, q) = np.repeat(np.array(pairs).T, len(shares), axis=1), np.tile(np.array(shares).T, len(pairs))
    n, strip = np.full(len(r), images), np.full(len(r), e)
    group = p * t
    free = chip.buffer_words - buffered_words(nest, ChipMappings(np.zeros_like(n), n, strip, p, q, r, t))
    groups = np.minimum(free // (group * n * e * nest.f), -(-nest.m // group))
    fits = groups > 0
    return ChipMappings(*(values[fits] for values in (groups * group, n, strip, p, q, r, t))) if fits.any() else None
