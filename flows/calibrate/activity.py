"""What moves in a PE per operation, from its operands alone: toggles of the words that its bit-true twin computes.

No gates are simulated: whoever has operands can compute these rates and price them with a table. Operands hold in
idle cycles, as `rtl.array` drives its PEs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.calibrate import float_words, packing, words
from flows.calibrate.streams import Streams
from flows.calibrate.words import Word
from rtl.pe.element import Accumulator, ProcessingElement
from rtl.pe.floating import FloatMac
from rtl.pe.serial import BitSerialMac

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


def activity(pe: ProcessingElement, streams: Streams, beats: Integers | None = None) -> dict[str, Floats]:
    """Return rates per operation, each of shape ``(streams,)``, by name.

    ``cycles``, ``restarts`` and ``valid edges`` are counted. All others are bits that change from one operation to the
    next, the lower and the upper half of a word apart, since the upper bits of small numbers are copies of the sign:
    of the operands and, where there are two integers, of all products of a bit of one and a bit of the other; of the
    words inside the PE (`flows.calibrate.words`, `flows.calibrate.float_words`); and of what the accumulator's adder
    holds, adds and carries.

    Parameters
    ----------
    beats
        How many of each stream are looked at; all, if not given. What is not looked at has no operation in it.
    """
    counts = np.full(streams.shape[0], streams.shape[1]) if beats is None else beats
    lanes = [_rates(pe, streams, row, slice(count)) for row, count in enumerate(counts.tolist())]
    return {name: np.array([rates[name] for rates in lanes]) for name in lanes[0]}


def _rates(pe: ProcessingElement, streams: Streams, row: int, beats: slice) -> dict[str, float]:
    valid = streams.valid[row, beats]
    first = streams.first[row, beats][valid]
    operands = {name: values[row, beats][valid] for name, values in streams.operands.items()}
    busy, idle = pe.cycles(**operands), np.diff(np.flatnonzero(valid), append=len(valid)) - 1
    rates: defaultdict[str, float] = defaultdict(float, {
        "operations": float(len(first)), "cycles": float(busy.sum() + (~valid).sum()), "restarts": float(first.sum()),
        "valid edges": float((valid[1:] != valid[:-1]).sum()),
    })  # fmt: skip
    for name, word, width in _words(pe, operands, first, idle > 0):
        for half, toggles in _halves(word, width):
            rates[f"{name}, {half} half"] += toggles
    if len(operands) == 2:
        rates["bit products"] = _bit_products([values & _mask(pe, name) for name, values in operands.items()])
    return {name: rate / len(first) for name, rate in rates.items()}


def _halves(word: NDArray[Any], width: int) -> Iterator[tuple[str, float]]:
    """Return the toggles of the lower and of the upper half; registers start at zero."""
    changed = (word ^ np.concatenate([[0], word[:-1]])) & ((1 << width) - 1)
    low = (width + 1) // 2
    yield "lower", _ones(changed & ((1 << low) - 1))
    if width > 1:
        yield "upper", _ones(changed >> low)


def _ones(word: NDArray[Any]) -> float:
    if word.dtype == object:
        return float(sum(value.bit_count() for value in word.tolist()))
    return float(np.bitwise_count(word).sum())


def _words(
    pe: ProcessingElement, operands: dict[str, Integers], first: Integers, idle: NDArray[np.bool_]
) -> Iterator[Word]:
    for name, values in operands.items():
        if name not in packing.settings(pe):
            yield name, values, pe.operand_shape(name).width
    if isinstance(pe, BitSerialMac):
        yield from _serial(pe, operands, first, idle)
    elif isinstance(pe, Accumulator):
        inside = list(words.words(pe, operands))
        yield from inside
        addend = inside[-1][1]
        total = pe.compute(first, **operands)["acc"]
        yield "held", total, pe.accumulator
        yield from _adder(pe, _before(total, first), addend, pe.terms(**operands) - addend, idle)
    elif isinstance(pe, FloatMac):
        total = pe.compute(first, **operands)["acc"]
        yield "held", total, 32
        shown, again = _shown(len(total), idle)
        base = np.where(again, total[shown], _before(total, first)[shown])
        yield "added to", base, 32
        x, w = (operands[name][shown].astype(object) for name in ("x", "w"))
        yield from float_words.words(pe, base.astype(object), x, w)


def _before(total: Integers, first: Integers) -> Integers:
    return np.where(first, 0, np.concatenate([[0], total[:-1]]))


def _shown(count: int, idle: NDArray[np.bool_]) -> tuple[Integers, NDArray[np.bool_]]:
    """Return which operation the adder is shown in every cycle, and whether it is shown once more, behind its sum."""
    order = np.repeat(np.arange(count), 1 + idle)
    return order, np.concatenate([[False], order[1:] == order[:-1]])


def _adder(
    pe: Accumulator, base: Integers, addend: Integers, carry: Integers, idle: NDArray[np.bool_]
) -> Iterator[Word]:
    """Return an input, sum and carries of the accumulator's adder; an idle cycle shows it the sum once more."""
    shown, again = _shown(len(base), idle)
    term = (addend + carry)[shown]
    base = np.where(again, base[shown] + term, base[shown])
    total = base + term
    low = pe.term_bits  # above the term's bits, all move together
    for name, word in (("added to", base), ("summed", total), ("carries", base ^ addend[shown] ^ total)):
        yield name, word & ((1 << low) - 1), low
        if pe.accumulator > low:
            yield f"{name}, above the term", word >> low, pe.accumulator - low


def _serial(
    pe: BitSerialMac, operands: dict[str, Integers], first: Integers, idle: NDArray[np.bool_]
) -> Iterator[Word]:
    total = pe.compute(first, **operands)["acc"]
    cycles = SerialCycles(pe, **operands)
    yield "cycles left", cycles.remaining, pe.x_bits.bit_length()
    yield "remaining bits", cycles.left, pe.x_bits
    yield "shifted weight", cycles.shifted, pe.term_bits
    yield "masked", cycles.masked, pe.term_bits
    yield "negated", cycles.addend, pe.term_bits
    base = cycles.sums(_before(total, first))
    yield "held", base + cycles.term, pe.accumulator
    behind = np.zeros(len(base), bool)
    behind[cycles.last] = idle
    yield from _adder(pe, base, cycles.addend, cycles.term - cycles.addend, behind)


class SerialCycles:
    """What is in a bit-serial PE in every cycle; ``last`` are the cycles in which an operation ends."""

    def __init__(self, pe: BitSerialMac, x: Integers, w: Integers, precision: Integers) -> None:
        cycles = pe.cycles(precision=precision)
        self.last: NDArray[np.intp] = np.cumsum(cycles) - 1
        self.operation = np.repeat(np.arange(len(x)), cycles)
        self.start = (self.last - cycles + 1)[self.operation]
        bit = np.arange(len(self.operation)) - self.start
        self.remaining = self.last[self.operation] - np.arange(len(bit))
        self.left = x[self.operation] >> bit
        self.shifted = w[self.operation] << bit
        self.masked = (self.left & 1) * self.shifted
        ends = self.remaining == 0
        self.addend = np.where(ends & (self.left & 1 == 1), ~self.masked, self.masked)
        self.term = np.where(ends, -self.masked, self.masked)

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
