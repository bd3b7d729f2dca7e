"""Floating-point codes of any exponent and mantissa width, rounded to nearest, ties to even."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class FloatLayout:
    """Fields of a floating-point format, from the top: sign, exponent, mantissa.

    Attributes
    ----------
    exponent, mantissa
        Field widths in bits; the exponent bias is ``2**(exponent - 1) - 1``.
    specials
        ``ieee``: the top exponent holds infinity and NaN. ``nan``: only the all-ones code is NaN, there is no
        infinity (e4m3). ``none``: every code is a finite number (e2m1).
    """

    exponent: int
    mantissa: int
    specials: str = "ieee"

    @property
    def bits(self) -> int:
        """Width of a code in bits."""
        return 1 + self.exponent + self.mantissa

    @property
    def bias(self) -> int:
        """What the exponent field exceeds the exponent by."""
        return (1 << (self.exponent - 1)) - 1

    @property
    def largest_code(self) -> int:
        """Code of the largest finite value."""
        ones = (1 << (self.bits - 1)) - 1
        return {"ieee": ones - (1 << self.mantissa), "nan": ones - 1, "none": ones}[self.specials]

    @property
    def nan_code(self) -> int:
        """Code of the canonical (positive, quiet) NaN."""
        ones = (1 << (self.bits - 1)) - 1
        return ones if self.specials == "nan" else ones - (1 << (self.mantissa - 1)) + 1


LAYOUTS = {
    "fp64": FloatLayout(11, 52),
    "fp32": FloatLayout(8, 23),
    "fp16": FloatLayout(5, 10),
    "bf16": FloatLayout(8, 7),
    "fp8_e5m2": FloatLayout(5, 2),
    "fp8_e4m3": FloatLayout(4, 3, "nan"),
    "fp4_e2m1": FloatLayout(2, 1, "none"),
}


def decode_float(codes: Array, layout: FloatLayout) -> Array:
    """Return the float64 values of ``codes``."""
    codes = codes.astype(np.uint64)
    if layout.bits == 64:
        return np.asarray(codes.view(np.float64))
    field = (codes >> np.uint64(layout.mantissa)) & np.uint64((1 << layout.exponent) - 1)
    mantissa = (codes & np.uint64((1 << layout.mantissa) - 1)).astype(np.float64)
    hidden = np.where(field > 0, float(1 << layout.mantissa), 0.0)
    scale = np.maximum(field.astype(np.int64), 1) - layout.bias - layout.mantissa
    magnitude = np.ldexp(mantissa + hidden, scale)
    body = codes & np.uint64((1 << (layout.bits - 1)) - 1)
    beyond = body > np.uint64(layout.largest_code)
    infinite = beyond & (mantissa == 0) & (layout.specials == "ieee")
    magnitude = np.where(infinite, np.inf, np.where(beyond, np.nan, magnitude))
    return np.where(codes >> np.uint64(layout.bits - 1) > 0, -magnitude, magnitude)


def encode_float(values: Array, layout: FloatLayout, *, saturate: bool) -> Array:
    """Return the uint64 codes nearest to ``values``; ties go to the even code.

    Overflow gives infinity, or NaN where the format has no infinity, or the largest finite value with
    ``saturate``. The sign of a NaN is kept; its payload is not.
    """
    values = np.asarray(values, dtype=np.float64)
    sign = np.signbit(values).astype(np.uint64) << np.uint64(layout.bits - 1)
    if layout.bits == 64:
        return np.where(np.isnan(values), sign | np.uint64(layout.nan_code), values.view(np.uint64))
    body = _round_body(np.where(np.isfinite(values), np.abs(values), 0.0), layout)
    largest, nan = layout.largest_code, layout.nan_code
    beyond = np.uint64(largest if saturate or layout.specials == "none" else largest + 1)
    body = np.where((body > np.uint64(largest)) | np.isinf(values), beyond, body)
    return sign | np.where(np.isnan(values), np.uint64(nan), body)


def _round_body(magnitude: Array, layout: FloatLayout) -> Array:
    """Exponent and mantissa fields as one integer, so that a mantissa carry moves into the exponent."""
    _, exponent = np.frexp(magnitude)
    field = np.where(magnitude > 0, np.maximum(exponent.astype(np.int64) - 1 + layout.bias, 1), 1)
    mantissa = np.rint(np.ldexp(magnitude, layout.mantissa - (field - layout.bias)))
    top = (1 << layout.exponent) + 1  # anything beyond the largest exponent; keeps the sum inside 64 bits
    field = np.minimum(field, top)
    return np.asarray(((field - 1) << layout.mantissa).astype(np.uint64) + mantissa.astype(np.uint64))
