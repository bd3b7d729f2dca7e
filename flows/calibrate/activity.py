"""What moves in a PE per operation, from its operands alone: toggles of the words that its bit-true twin computes.

No gates are simulated: whoever has operands can compute these rates and price them with a table. Operands hold in
idle cycles, as `rtl.array` drives its PEs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from flows.calibrate.streams import Streams
from rtl.pe.element import Accumulator, ProcessingElement
from rtl.pe.integer import IntegerMac
from rtl.pe.serial import BitSerialMac
from rtl.pe.shift import ShiftPE

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Word = tuple[str, Integers, int]
"""A name, values in order of time, and how many bits of them there are."""


def activity(pe: ProcessingElement, streams: Streams) -> dict[str, Floats]:
    """Return rates per operation, each of shape ``(streams,)``, by name.

    ``cycles``, ``restarts`` and ``valid edges`` are counted. All others are bits that change from one operation to the
    next, the lower and the upper half of a word apart, since the upper bits of small numbers are copies of the sign:
    of the operands and, where there are two integers, of all products of a bit of one and a bit of the other; of the
    carry-save words of a canonical multiplier or the levels of a shifter; of the term; and of what the accumulator's
    adder holds, adds and carries.
    """
    lanes = [_rates(pe, streams, row) for row in range(streams.shape[0])]
    return {name: np.array([rates[name] for rates in lanes]) for name in lanes[0]}


def _rates(pe: ProcessingElement, streams: Streams, row: int) -> dict[str, float]:
    valid = streams.valid[row]
    first = streams.first[row][valid]
    operands = {name: values[row][valid] for name, values in streams.operands.items()}
    busy, idle = pe.cycles(**operands), np.diff(np.flatnonzero(valid), append=len(valid)) - 1
    rates: defaultdict[str, float] = defaultdict(float, {
        "cycles": float(busy.sum() + (~valid).sum()), "restarts": float(first.sum()),
        "valid edges": float((valid[1:] != valid[:-1]).sum()),
    })  # fmt: skip
    words = [*_words(pe, operands)]
    if isinstance(pe, Accumulator):
        words += _adder(pe, operands, first, idle > 0)
    for name, word, width in words:
        for half, toggles in _halves(word, width):
            rates[f"{name}, {half} half"] += toggles
    if len(operands) == 2:
        rates["bit products"] = _bit_products([values & _mask(pe, name) for name, values in operands.items()])
    return {name: rate / len(first) for name, rate in rates.items()}


def _halves(word: Integers, width: int) -> Iterator[tuple[str, float]]:
    """Return the toggles of the lower and of the upper half; registers start at zero."""
    changed = (word ^ np.concatenate([[0], word[:-1]])) & ((1 << width) - 1)
    low = (width + 1) // 2
    yield "lower", float(np.bitwise_count(changed & ((1 << low) - 1)).sum())
    if width > 1:
        yield "upper", float(np.bitwise_count(changed >> low).sum())


def _words(pe: ProcessingElement, operands: dict[str, Integers]) -> Iterator[Word]:
    """Return the words in front of the accumulator, a value per operation."""
    for name, values in operands.items():
        yield name, values, pe.operand_shape(name).width
    if isinstance(pe, IntegerMac):
        yield from _multiplier(pe, **operands)
    if isinstance(pe, ShiftPE):
        yield from _shifter(pe, **operands)
    if isinstance(pe, Accumulator):
        yield "term", pe.terms(**operands), pe.term_bits


def _multiplier(pe: IntegerMac, x: Integers, w: Integers) -> Iterator[Word]:
    """Add a row of ``x`` per bit of ``w`` in a tree of full adders; the row of the sign is subtracted."""
    added = [~x if bit == pe.w_bits - 1 else x for bit in range(pe.w_bits)]
    rows: list[Integers] = [np.where(w >> bit & 1, row << bit, 0) for bit, row in enumerate(added)]
    while len(rows) > 2:
        a, b, c = rows[:3]
        total, carry = a ^ b ^ c, ((a & b) | (a & c) | (b & c)) << 1
        yield "carry-save sums", total, pe.term_bits
        yield "carry-save carries", carry, pe.term_bits
        rows = [*rows[3:], total, carry]
    a, b = rows
    yield "carries of the product", a ^ b ^ (a + b), pe.term_bits


def _shifter(pe: ShiftPE, x: Integers, w: Integers) -> Iterator[Word]:
    word = x << pe.fraction
    for level in range(pe.w_bits - 1):
        amount = (w >> level & 1) << level
        word = word << amount if pe.direction == "left" else word >> amount
        yield "shifted", word, pe.term_bits - 1
    yield "negated", np.where(w >> (pe.w_bits - 1) & 1, -1 - word, word), pe.term_bits


def _adder(pe: Accumulator, operands: dict[str, Integers], first: Integers, idle: NDArray[np.bool_]) -> Iterator[Word]:
    """Return both inputs, sum and carries of the accumulator's adder; an idle cycle shows it the sum once more."""
    total, term = pe.compute(first, **operands)["acc"], pe.terms(**operands)
    before = np.where(first, 0, np.concatenate([[0], total[:-1]]))
    base, last = before, np.arange(len(term))
    if isinstance(pe, BitSerialMac):
        cycles = SerialCycles(pe, **operands)
        base, term, last = cycles.sums(before), cycles.term, cycles.last
        yield "remaining bits", cycles.left, pe.x_bits
        yield "shifted weight", cycles.shifted, pe.term_bits
    shown = np.ones(len(term), np.intp)
    shown[last] += idle
    order = np.repeat(np.arange(len(term)), shown)
    again = np.concatenate([[False], order[1:] == order[:-1]])
    term = term[order]
    base = np.where(again, base[order] + term, base[order])
    yield "held", total, pe.accumulator
    low = pe.term_bits  # above the term's bits, all move together
    for name, word in (("added to", base), ("summed", base + term), ("carries", base ^ term ^ (base + term))):
        yield name, word & ((1 << low) - 1), low
        if pe.accumulator > low:
            yield f"{name}, above the term", word >> low, pe.accumulator - low


class SerialCycles:
    """What is in a bit-serial PE in every cycle; ``last`` are the cycles in which an operation ends."""

    def __init__(self, pe: BitSerialMac, x: Integers, w: Integers, precision: Integers) -> None:
        cycles = pe.cycles(precision=precision)
        self.last: NDArray[np.intp] = np.cumsum(cycles) - 1
        self.operation = np.repeat(np.arange(len(x)), cycles)
        self.start = (self.last - cycles + 1)[self.operation]
        bit = np.arange(len(self.operation)) - self.start
        self.left = x[self.operation] >> bit
        self.shifted = w[self.operation] << bit
        added = (self.left & 1) * self.shifted
        self.term = np.where(np.isin(np.arange(len(bit)), self.last), -added, added)

    def sums(self, before: Integers) -> Integers:
        """Return what each cycle adds to, from the sum in front of each operation."""
        sums: Integers = np.cumsum(self.term) - self.term
        return np.asarray(before[self.operation] + sums - sums[self.start])


def _mask(pe: ProcessingElement, operand: str) -> int:
    width: int = pe.operand_shape(operand).width
    return (1 << width) - 1


def _bit_products(pair: list[Integers]) -> float:
    """Return the toggles of all ``a[i] & b[j]``, the first layer of a multiplier; of bits that are not negative."""
    a, b = (np.concatenate([[0], word]) for word in pair)
    ones = np.bitwise_count(a).astype(np.int64) * np.bitwise_count(b)
    kept = np.bitwise_count(a[1:] & a[:-1]).astype(np.int64) * np.bitwise_count(b[1:] & b[:-1])
    return float((ones[1:] + ones[:-1] - 2 * kept).sum())
