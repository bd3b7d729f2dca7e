"""Words inside a PE, as its bit-true twin computes them: what stands on the gates in front of the accumulator's adder.

A word is a name, its values in order of time, and how many bits of them there are; words of one name are counted
together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtl.pe import lfsr
from rtl.pe.adder import AdderPE
from rtl.pe.binary import BinaryAddPE
from rtl.pe.element import Accumulator
from rtl.pe.fusible import WORD, FusibleMac
from rtl.pe.integer import IntegerMac
from rtl.pe.shift import ShiftPE
from rtl.pe.shift_add import ShiftAddPE
from rtl.pe.simhash import SimHashTree
from rtl.pe.ternary import TernaryAddPE

Integers = NDArray[np.int64]
Operands = dict[str, Integers]
Word = tuple[str, NDArray[Any], int]


def words(pe: Accumulator, operands: Operands) -> Iterator[Word]:
    """Return the words between the operands and the adder; the last is what is added, apart from a carry."""
    describe = _DESCRIBED.get(type(pe))
    if describe is not None:
        yield from describe(pe, **operands)
    else:
        yield "term", pe.terms(**operands), pe.term_bits


def _integer(pe: IntegerMac, x: Integers, w: Integers) -> Iterator[Word]:
    yield from multiplier(x, w, pe.w_bits, pe.term_bits)
    yield "term", x * w, pe.term_bits


def multiplier(x: NDArray[Any], w: NDArray[Any], w_bits: int, bits: int, *, signed: bool = True) -> Iterator[Word]:
    """Sum a row of ``x`` per bit of ``w`` as yosys does: full adders take three rows at a time, round by round.

    The row of a sign is subtracted: its complement, and the bit itself, which comes first in its column.
    """
    rows: list[NDArray[Any]] = [np.where(w >> bit & 1, x << bit, 0) for bit in range(w_bits)]
    if signed:
        top = w_bits - 1
        rows[-1] = np.where(w >> top & 1, ~x << top, 0)
        column = [w & (1 << top), *(row & (1 << top) for row in rows)]
        rows = [(row & ~(1 << top)) | bit for row, bit in zip([*rows, np.zeros_like(x)], column, strict=True)]
    while len(rows) > 2:
        added: list[NDArray[Any]] = []
        for a, b, c in zip(rows[::3], rows[1::3], rows[2::3], strict=False):
            added += [a ^ b ^ c, ((a & b) | (a & c) | (b & c)) << 1]
            yield "carry-save sums", added[-2], bits
            yield "carry-save carries", added[-1], bits
        rows = added + rows[len(rows) // 3 * 3 :]
    a, b = rows
    yield "carries of the product", a ^ b ^ (a + b), bits


def _shift(pe: ShiftPE, x: Integers, w: Integers) -> Iterator[Word]:
    code = w & ((1 << (pe.w_bits - 1)) - 1)
    behind = levels(x << pe.fraction, code, pe.w_bits - 1, pe.direction)
    yield from (("shifted", word, pe.term_bits - 1) for word in behind)
    keep = code <= pe.largest_shift
    yield negated(np.where(keep, behind[-1], 0), keep & (w >> (pe.w_bits - 1) & 1), pe.term_bits)


def levels(word: NDArray[Any], amount: NDArray[Any], bits: int, direction: str) -> list[NDArray[Any]]:
    """Return a word behind every level of a shifter, the level of the lowest bit of the amount first."""
    behind = []
    for level in range(bits):
        step = (amount >> level & 1) << level
        word = word << step if direction == "left" else word >> step
        behind.append(word)
    return behind


def negated(word: Integers, negative: NDArray[Any], bits: int) -> Word:
    """Return the word behind the exclusive or that negates it; the carry that completes it is the adder's."""
    return "negated", word ^ -(negative.astype(np.int64)), bits


def _adder(pe: AdderPE, x: Integers, w: Integers) -> Iterator[Word]:
    difference = x - w
    yield "difference", difference, pe.term_bits
    yield "borrows", x ^ w ^ difference, pe.term_bits
    yield negated(difference, difference >= 0, pe.term_bits)


def _binary(pe: BinaryAddPE, x: Integers, w: Integers) -> Iterator[Word]:
    if pe.weights == "bin01":
        yield "term", pe.terms(x=x, w=w), pe.term_bits
    else:
        yield negated(x, w, pe.term_bits)


def _ternary(pe: TernaryAddPE, x: Integers, keep: Integers, reseed: Integers, seed: Integers) -> Iterator[Word]:
    states, state = np.empty((2, len(seed)), np.int64), 0
    for index, (again, start) in enumerate(zip(reseed.tolist(), seed.tolist(), strict=True)):
        states[0, index] = start if again else state
        states[1, index] = state = lfsr.step(int(states[0, index]), pe.lfsr_bits)
    yield "state", states[0], pe.lfsr_bits
    yield "next state", states[1], pe.lfsr_bits
    masked = np.where(keep == 1, x, 0)
    yield "masked", masked, pe.term_bits
    yield negated(masked, states[0] & 1 & keep, pe.term_bits)


def _simhash(pe: SimHashTree, signs: Integers, **xs: Integers) -> Iterator[Word]:
    lanes = [x ^ -(signs >> lane & 1) for lane, x in enumerate(xs.values())]
    for lane in lanes:
        yield "negated", lane, pe.x_bits + 1
    yield from _tree(lanes, pe.x_bits + 1)
    missing: Integers = np.bitwise_count(signs >> 1).astype(np.int64)
    yield "missing carries", missing, pe.term_bits - pe.x_bits
    yield "term", _sum(lanes) + missing, pe.term_bits


def _tree(values: list[Integers], bits: int) -> Iterator[Word]:
    """Return the sums of a tree of adders, and their carries."""
    if len(values) > 1:
        half = len(values) // 2
        yield from _tree(values[:half], bits)
        yield from _tree(values[half:], bits)
        left, right = _sum(values[:half]), _sum(values[half:])
        wide = bits + (len(values) - 1).bit_length()
        yield "sums of lanes", left + right, wide
        yield "carries of lanes", left ^ right ^ (left + right), wide


def _sum(values: list[Integers]) -> Integers:
    return np.asarray(np.sum(values, axis=0))


def _shift_add(pe: ShiftAddPE, x: Integers, w: Integers, mode: Integers) -> Iterator[Word]:
    bits = pe.shift_bits - 1
    code, difference = w & ((1 << bits) - 1), x - w
    behind = levels(x, code, bits, "left")
    yield from (("shifted", word, pe.term_bits - 1) for word in behind)
    yield "difference", difference, pe.bits + 1
    yield "borrows", x ^ w ^ difference, pe.bits + 1
    keep = code <= pe.largest_shift
    negative = np.where(mode == 1, difference >= 0, keep & (w >> bits & 1))
    yield negated(np.where(mode == 1, difference, np.where(keep, behind[-1], 0)), negative, pe.term_bits)


def _fusible(pe: FusibleMac, x_mode: Integers, w_mode: Integers, **buses: Integers) -> Iterator[Word]:
    xs, ws = (np.stack([buses[port] for port in pe.bus(name)], axis=1) for name in ("x", "w"))
    of_x, of_w = (pe.mode_bits(mode) // 2 for mode in (x_mode, w_mode))
    rows = []
    for i in range(pe.slices):
        bricks = []
        for j in range(pe.slices):
            lane = i // of_x * (pe.slices // of_w) + j // of_w
            a, b = _slice(xs, lane, of_x, i % of_x), _slice(ws, lane, of_w, j % of_w)
            yield "brick x", a, 3
            yield "brick w", b, 3
            yield "brick product", a * b, 5
            bricks.append(a * b << 2 * (j % of_w))
            yield "brick shifted", bricks[-1], pe.bits + 3
        yield from _tree(bricks, pe.bits + 3)
        rows.append(_sum(bricks) << 2 * (i % of_x))
        yield "row", rows[-1], pe.term_bits
    yield from (("sums of rows" if "sums" in name else "carries of rows", word, pe.term_bits)
                for name, word, _ in _tree(rows, pe.term_bits))  # fmt: skip
    yield "term", _sum(rows), pe.term_bits


def _slice(bus: Integers, lane: Integers, slices: Integers, index: Integers) -> Integers:
    """Two bits of the operand in a lane: signed at its top."""
    word, offset = np.divmod(2 * (lane * slices + index), WORD)
    bits = bus[np.arange(len(bus)), word] >> offset & 3
    signed: Integers = np.where(index == slices - 1, (bits ^ 2) - 2, bits)
    return signed


_DESCRIBED: dict[type[Accumulator], Callable[..., Iterator[Word]]] = {
    IntegerMac: _integer, ShiftPE: _shift, AdderPE: _adder, BinaryAddPE: _binary, TernaryAddPE: _ternary,
    SimHashTree: _simhash, ShiftAddPE: _shift_add, FusibleMac: _fusible,
}  # fmt: skip
