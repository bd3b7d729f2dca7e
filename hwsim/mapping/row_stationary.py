"""All integer tilings of a convolution nest on a row-stationary array.

Dimensions (ShiftAddNAS, after Eyeriss): N batch, M output and C input channels, E x F output rows and columns,
R x S kernel, H x W input. Factors: N = N0*N3, M = M0*M1*M2*M3, C = C0*C1*C2, E = E1*E3, where 0 is the register
file, 1 the array, 2 the global buffer and 3 the external memory. A fully connected layer has E = F = R = S = 1.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Nest:
    """A convolution nest; sizes as in the module docstring, ``repeats`` times over."""

    n: int
    m: int
    c: int
    e: int = 1
    f: int = 1
    r: int = 1
    s: int = 1
    h: int = 1
    w: int = 1
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    repeats: int = 1

    @property
    def is_fully_connected(self) -> bool:
        """Whether there is no spatial dimension."""
        return self.h == self.w == self.e == self.f == 1

    @property
    def sizes(self) -> dict[str, int]:
        """Elements of input, weight and output of one repeat."""
        return {
            "input": self.n * self.h * self.w * self.c,
            "weight": self.r * self.s * self.c * self.m,
            "output": self.n * self.e * self.f * self.m,
        }


@dataclass(frozen=True)
class Limits:
    """What the array can hold, and how strictly it is tested (see `hwsim.cost.accounting.Convention`)."""

    processing_elements: int
    input_words: int
    weight_words: int
    output_words: int
    buffer_words: int
    strict: bool = False
    spread_rows: bool = False
    unfiltered_outputs_above: int | None = None

    def within(self, need: Integers, size: int) -> NDArray[np.bool_]:
        """Whether ``need`` passes the capacity test against ``size``."""
        return need < size if self.strict else need <= size


@dataclass(frozen=True)
class Tilings:
    """Legal tilings as parallel arrays, in the order of enumeration."""

    n0: Integers
    n3: Integers
    m0: Integers
    m1: Integers
    m2: Integers
    m3: Integers
    c0: Integers
    c1: Integers
    c2: Integers
    e1: Integers
    e3: Integers

    def __len__(self) -> int:
        return len(self.n0)

    def factors(self, index: int) -> dict[str, int]:
        """Factors of one tiling."""
        return {name: int(values[index]) for name, values in vars(self).items()}


def tilings(nest: Nest, limits: Limits) -> Tilings:
    """Enumerate every tiling of ``nest`` within ``limits``; empty if there is none."""
    batches = factorizations(nest.n, 2)
    outputs = _output_channels(nest.m, limits)
    inputs = factorizations(nest.c, 3)
    inputs = inputs[limits.within(inputs[:, 0] * nest.s, limits.input_words)]
    rows = factorizations(nest.e, 2)
    if limits.spread_rows and not nest.is_fully_connected:
        rows = rows[rows[:, 0] != 1]
    m0, m1, m2 = (outputs[:, i][:, None, None] for i in range(3))
    c0, c1 = (inputs[:, i][None, :, None] for i in range(2))
    e1 = rows[:, 0][None, None, :]
    on_array = limits.within(m1 * c1 * e1 * nest.r, limits.processing_elements)
    in_registers = limits.within(m0 * c0 * nest.s, limits.weight_words)
    patch_rows = (e1 - 1) * nest.stride[0] + (nest.r - 1) * nest.dilation[0] + 1
    patch_columns = (nest.f - 1) * nest.stride[1] + (nest.s - 1) * nest.dilation[1] + 1
    buffered = c1 * c0 * patch_rows * patch_columns + m2 * m1 * m0 * e1 * nest.f  # for one of the batch
    fits = on_array & in_registers
    columns: list[list[Integers]] = [[] for _ in range(11)]
    for n0, n3 in batches:
        chosen = np.nonzero(fits & limits.within(n0 * buffered, limits.buffer_words))
        here = np.ones(len(chosen[0]), np.int64)
        parts = (
            n0 * here, n3 * here, *(outputs[chosen[0], i] for i in range(4)),
            *(inputs[chosen[1], i] for i in range(3)), *(rows[chosen[2], i] for i in range(2)),
        )  # fmt: skip
        for column, part in zip(columns, parts, strict=True):
            column.append(part)
    return Tilings(*(np.concatenate(column) for column in columns))


def why_none(nest: Nest, limits: Limits) -> str:
    """Name the first limit that even the smallest tile breaks, with what it needs and what there is."""
    rows = factorizations(nest.e, 2)[:, 0]
    spread = limits.spread_rows and not nest.is_fully_connected
    least_rows = int(min((e1 for e1 in rows if not spread or e1 != 1), default=0))
    patch_rows = (least_rows - 1) * nest.stride[0] + (nest.r - 1) * nest.dilation[0] + 1
    patch_columns = (nest.f - 1) * nest.stride[1] + (nest.s - 1) * nest.dilation[1] + 1
    needs = (
        ("processing elements", least_rows * nest.r, limits.processing_elements),
        ("input words in the register file", nest.s, limits.input_words),
        ("weight words in the register file", nest.s, limits.weight_words),
        ("words in the global buffer", patch_rows * patch_columns + least_rows * nest.f, limits.buffer_words),
    )
    if not least_rows:
        return "its single output row cannot spread over two processing elements"
    for name, need, size in needs:
        if not limits.within(np.asarray([need]), size)[0]:
            return f"the smallest tile needs {need} {name}; {'fewer than ' if limits.strict else ''}{size} are there"
    return "no combination of factors passes all capacity tests at once"


@lru_cache(maxsize=1024)
def factorizations(number: int, parts: int) -> Integers:
    """All ordered factorizations of ``number`` into ``parts`` factors, shape (count, parts).

    Order: first factors by descending exponent of each prime, smallest prime first, then recursively: the order
    of the published simulators, which decides between equally good tilings.
    """
    if parts == 1:
        return np.array([[number]], np.int64)
    blocks = []
    for first in _divisors(number):
        rest = factorizations(number // first, parts - 1)
        blocks.append(np.column_stack([np.full(len(rest), first, np.int64), rest]))
    return np.concatenate(blocks)


def _divisors(number: int) -> list[int]:
    powers = [[prime**k for k in range(exponent, -1, -1)] for prime, exponent in _prime_exponents(number)]
    return [math.prod(factors) for factors in itertools.product(*powers)]


def _prime_exponents(number: int) -> list[tuple[int, int]]:
    exponents = []
    prime = 2
    while prime * prime <= number:
        count = 0
        while number % prime == 0:
            number //= prime
            count += 1
        if count:
            exponents.append((prime, count))
        prime += 1
    return exponents + ([(number, 1)] if number > 1 else [])


def _output_channels(m: int, limits: Limits) -> Integers:
    tiles = factorizations(m, 4)
    bound = limits.unfiltered_outputs_above
    if bound is not None and bound < limits.output_words:
        # the published filter removes items of the list it walks, so the successor of each removed item stays
        kept, skip = [], False
        for tile in tiles:
            remove = tile[0] > bound and not skip
            skip = remove
            if not remove:
                kept.append(tile)
        tiles = np.array(kept, np.int64).reshape(-1, 4)
    return tiles[tiles[:, 0] <= limits.output_words]
