"""Floating-point beats that meet the accumulator: independent random codes nearly always miss it by far."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim import formats
from hwsim.formats.floats import LAYOUTS, FloatLayout
from rtl.pe.floating import FloatMac

Array = NDArray[Any]

FP32 = LAYOUTS["fp32"]
_REACH = 30  # a product this much larger or smaller than the sum is at most a hint for rounding


def near(layout: FloatLayout, count: int, generator: np.random.Generator) -> dict[str, Array]:
    """Return ``x`` and ``w`` whose products stay within 2**30 of the products before, and often cancel them.

    The exponent of the product walks at random through what fp32 holds and a little beyond, so that sums
    are subnormal and infinite at its ends; half the steps lead to a sum of the same size, or one whose last place
    is the product's first. Significands are uniform, sparse, dense, or have a single bit set or not: ties, a
    single bit beyond a tie, and long carries are common. One beat in eight repeats the beat before with the
    other sign, exactly or one unit in the last place off.
    """
    x, w = _product(layout, _walk(layout, count, generator), generator)
    again = np.flatnonzero(generator.random(count - 1) < 0.125) + 1
    x[again] = x[again - 1]
    off = np.where(generator.random(len(again)) < 0.5, generator.integers(0, 2, len(again)), 0)
    w[again] = w[again - 1] ^ (1 << (layout.bits - 1)) ^ off
    return {"x": x, "w": w}


Sums = tuple[dict[str, Array], Array]
"""Operands of sums of three beats, and where the sums start."""


def left_over(layout: FloatLayout, count: int, generator: np.random.Generator) -> Sums:
    """Return ``count`` sums of a small product, a large one and its opposite.

    What is left is the small one, at every depth below the large one: that many zeros lead the difference. Half of the
    large ones are powers of two, below which a sum can hold the smallest rest.
    """
    least, most = _range(layout)
    small = generator.integers(least, most, count, endpoint=True)
    large = np.minimum(small + generator.integers(0, _REACH, count), most)
    one, other = (_product(layout, exponents, generator) for exponents in (small, large))
    power = _power(layout, large - 2 * layout.bias)
    even = np.arange(count) % 2 == 0
    other = (np.where(even, power[0], other[0]), np.where(even, power[1], other[1]))
    return _three(one, other, (other[0], other[1] ^ (1 << (layout.bits - 1))))


def ties(layout: FloatLayout, count: int, generator: np.random.Generator) -> Sums:
    """Return up to ``count`` sums of half of what a large product rounds to, something tiny, and the large product.

    Only the tiny one breaks the tie, however deep below it lies.
    """
    high = np.max(generator.integers(*_range(layout), (3, count), endpoint=True), axis=0)
    x, w = _product(layout, high, generator)
    size, exponent = zip(*(_parts(layout, code) for code in (x, w)), strict=True)
    leading = np.frexp((size[0] * size[1]).astype(float))[1] - 1 + exponent[0] + exponent[1]
    half = leading - FP32.mantissa - 1
    tiny = half - generator.integers(1, FP32.mantissa + 4, count)
    real = (size[0] * size[1] > 0) & (tiny >= 2 * _lowest(layout))
    return _three(*(_power(layout, exponents[real]) for exponents in (half, tiny)), (x[real], w[real]))


def _parts(layout: FloatLayout, code: Array) -> tuple[Array, Array]:
    """Significands as integers, and the exponents of their lowest bits."""
    field = (code >> layout.mantissa) & ((1 << layout.exponent) - 1)
    hidden = np.where(field > 0, 1 << layout.mantissa, 0)
    return (code & ((1 << layout.mantissa) - 1)) | hidden, np.maximum(field, 1) - 1 + _lowest(layout)


def _three(*products: tuple[Array, Array]) -> Sums:
    x, w = (np.stack([product[side] for product in products], axis=1).ravel() for side in (0, 1))
    return {"x": x, "w": w}, np.arange(len(x)) % 3 == 0


def _lowest(layout: FloatLayout) -> int:
    """Exponent of the smallest number."""
    return 1 - layout.bias - layout.mantissa


def _power(layout: FloatLayout, exponents: Array) -> tuple[Array, Array]:
    """Codes of two powers of two whose product has these exponents."""
    low, high = _lowest(layout), (layout.largest_code >> layout.mantissa) - layout.bias
    first = np.clip(exponents // 2, low, high)
    first = np.clip(first, exponents - high, exponents - low)
    return _power_code(layout, first), _power_code(layout, exponents - first)


def _power_code(layout: FloatLayout, exponents: Array) -> Array:
    field = np.maximum(exponents + layout.bias, 0)
    subnormal = np.left_shift(1, np.maximum(exponents - _lowest(layout), 0))
    return np.asarray(np.where(field > 0, field << layout.mantissa, subnormal), np.int64)


def _product(layout: FloatLayout, exponents: Array, generator: np.random.Generator) -> tuple[Array, Array]:
    """Codes whose exponent fields have these sums."""
    top = layout.largest_code >> layout.mantissa
    fields = generator.integers(np.maximum(exponents - top, 0), np.minimum(exponents, top), endpoint=True)
    return _code(layout, fields, generator), _code(layout, exponents - fields, generator)


def loads(pe: FloatMac, code: int) -> bool:
    """Whether a few beats bring the accumulator to the fp32 ``code``: it is split into products, highest first."""
    rest = float(formats.decode([code], "fp32")[0])
    if not math.isfinite(rest):
        return True  # an operand brings it
    layout, xs, ws = LAYOUTS[pe.form], [0], [0]
    lowest, highest = _lowest(layout), (layout.largest_code >> layout.mantissa) - layout.bias
    while rest and len(xs) < _MOST_PIECES:
        scale = max(math.frexp(rest)[1] - layout.mantissa - 1, 2 * lowest)
        piece = math.trunc(math.ldexp(rest, -scale))
        shift = min(max(scale, lowest), highest - layout.mantissa)
        if not lowest <= scale - shift <= highest:
            return False
        xs.append(_encode(math.ldexp(piece, shift), pe.form))
        ws.append(_encode(math.ldexp(1, scale - shift), pe.form))
        rest -= math.ldexp(piece, scale)
    sums = pe.compute(np.arange(len(xs)) == 0, x=np.asarray(xs), w=np.asarray(ws))["acc"]
    return int(sums[-1]) == code


_MOST_PIECES = 64


def _encode(value: float, form: str) -> int:
    return int(formats.encode([value], form)[0])


def _range(layout: FloatLayout) -> tuple[int, int]:
    """The least and greatest sum of both exponent fields whose product is not far beyond what fp32 holds."""
    top = layout.largest_code >> layout.mantissa
    return max(0, 2 * layout.bias - FP32.bias - 2 * FP32.mantissa), min(2 * top, 2 * layout.bias + FP32.bias + 3)


def _walk(layout: FloatLayout, count: int, generator: np.random.Generator) -> Array:
    """Sums of both exponent fields, each within `_REACH` of the one before."""
    least, most = _range(layout)
    ties = np.asarray([-1, 0, 1, *range(FP32.mantissa - 1, FP32.mantissa + 5), *range(-FP32.mantissa - 4, -22)])
    steps = generator.integers(-_REACH, _REACH, count, endpoint=True)
    steps = np.where(generator.random(count) < 0.5, steps, generator.choice(ties, count))
    place, found = (least + most) // 2, []
    for step in steps.tolist():
        place = min(max(place + step, least), most)
        found.append(place)
    return np.asarray(found, np.int64)


def _code(layout: FloatLayout, fields: Array, generator: np.random.Generator) -> Array:
    a, b, c = (generator.integers(0, 1 << layout.mantissa, len(fields)) for _ in range(3))
    single = 1 << generator.integers(0, layout.mantissa, len(fields))
    ones = (1 << layout.mantissa) - 1
    kinds = [a, a & b & c, a | b | c, np.zeros_like(a), single, ones ^ single]
    mantissa = np.choose(generator.integers(0, len(kinds), len(fields)), kinds)
    sign = generator.integers(0, 2, len(fields)) << (layout.bits - 1)
    return np.asarray(sign | (fields << layout.mantissa) | mantissa, np.int64)
