"""Words inside a floating-point PE, as its hardware computes them: product, alignment, sum, normalisation.

They are wider than machine integers, so they are Python integers in arrays of objects.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flows.calibrate.words import Word, levels, multiplier
from hwsim.formats.floats import LAYOUTS, FloatLayout
from rtl.pe.floating import FP32, FloatMac

Objects = NDArray[Any]
EXPONENT_BITS = 12
BELOW, GAP = 26, 3
"""Bits of the window of `rtl.pe.floating` below the product, and between it and the accumulator."""


class _Numbers(NamedTuple):
    negative: Objects
    significand: Objects
    exponent: Objects  # of the significand's lowest bit


def words(pe: FloatMac, base: Objects, x: Objects, w: Objects) -> Iterator[Word]:
    """Return the words of every cycle shown, from what is added to and the operands, all codes."""
    layout = LAYOUTS[pe.form]
    a, b, acc = _unpacked(x, layout), _unpacked(w, layout), _unpacked(base, FP32)
    significand_bits = layout.mantissa + 1
    yield from multiplier(a.significand, b.significand, significand_bits, 2 * significand_bits, signed=False)
    product, exponent = a.significand * b.significand, a.exponent + b.exponent
    yield "product", product, 2 * significand_bits
    yield "exponent of the product", exponent, layout.exponent + 3
    differ = acc.negative ^ a.negative ^ b.negative
    total, lowest = yield from _aligned(product, exponent, acc, differ, 2 * significand_bits)
    yield from _normalised(total, lowest, 2 * significand_bits + GAP + BELOW + 24)


def _unpacked(code: Objects, layout: FloatLayout) -> _Numbers:
    field = code >> layout.mantissa & ((1 << layout.exponent) - 1)
    significand = (code & ((1 << layout.mantissa) - 1)) | (np.minimum(field, 1) << layout.mantissa)
    return _Numbers(code >> (layout.bits - 1), significand, np.maximum(field, 1) - (layout.bias + layout.mantissa))


def _aligned(
    product: Objects, exponent: Objects, acc: _Numbers, differ: Objects, product_bits: int
) -> Generator[Word, None, tuple[Objects, Objects]]:
    """Move the accumulator to the product and add; return the sum and the weight of its lowest bit."""
    highest = product_bits + GAP
    bits, limit = BELOW + highest + 24, highest + BELOW + 24
    apart = acc.exponent - exponent
    small = (apart > highest) | (product == 0)
    right = np.where(small, 0, np.minimum(highest - apart, limit))
    lowest = np.where(small, acc.exponent - highest, exponent) - BELOW
    yield "alignment", apart, EXPONENT_BITS
    yield "alignment", right, limit.bit_length()
    yield "alignment", lowest, EXPONENT_BITS
    behind = levels(acc.significand << bits, right, limit.bit_length(), "right")
    yield from (("aligned", word, bits + 24) for word in behind)
    moved = behind[-1]
    low = moved & ((1 << 24) - 1)
    addend = (moved >> 24) | np.minimum(low, 1)
    term = (product << BELOW) ^ -differ
    total = addend + term + differ
    yield "addend", term, bits + 2
    yield "sum", total, bits + 2
    yield "carries of the sum", addend ^ term ^ total, bits + 2
    return total, lowest


def _normalised(total: Objects, lowest: Objects, top: int) -> Iterator[Word]:
    magnitude = np.abs(total)
    yield "magnitude", magnitude, top + 1
    lengths = np.array([value.bit_length() for value in magnitude.tolist()], object)
    left = top + 1 - lengths
    room = lowest + top + 126
    shift = np.minimum(left, room) & ((1 << (top + 1).bit_length()) - 1)
    yield "normalisation", left, (top + 1).bit_length()
    yield "normalisation", shift, (top + 1).bit_length()
    for word in levels(magnitude, shift, (top + 1).bit_length(), "left"):
        yield "normalised", word & ((1 << (top + 1)) - 1), top + 1
