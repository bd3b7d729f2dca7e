"""MatShift: weights are powers of two, a term is a shift with a sign.

`PACKED` reads two ``pow2_4`` codes a byte, sign above a three-bit exponent: ``w = +-2**-e`` with e in 0..7. Activations
are int8; they are shifted left by ``7 - e``, so that C has seven fraction bits and nothing is rounded. `PUBLISHED` is
the kernel of ShiftAddViT's repository: int32 activations are shifted right, which rounds towards minus infinity, by
amounts of int8, and multiplied by signs of int8; its weights are ``pow2_5`` here, so amounts are 0..15.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flows.kernels.kernel import Array, Expression, Kernel, Stored, summed
from flows.kernels.packing import pack, unpack
from hwsim import formats

FRACTION = 7
"""Fraction bits of the packed kernel's result: the largest exponent of ``pow2_4``."""
_NARROW, _WIDE = "pow2_4", "pow2_5"


def code(stored: Any, b: Expression, n: Expression, k: Expression) -> Expression:
    """Return the four-bit code of a weight from two a byte."""
    return (stored[b, n, k // 2] >> ((k % 2) * 4).astype("uint8")) & _constant(15, "uint8")


def draw(bits: int) -> Any:
    """Return a function that draws values of a power-of-two format with ``bits``."""

    def drawn(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return formats.decode(rng.integers(0, 1 << bits, shape), f"pow2_{bits}")

    return drawn


def _planes(stored: tuple[Any, ...], b: Expression, n: Expression, k: Expression) -> tuple[Expression, ...]:
    one = code(stored[0], b, n, k).astype("int8")
    shift = _constant(FRACTION, "int8") - (one & _constant(7, "int8"))
    return shift, _constant(1, "int8") - ((one >> _constant(3, "int8")) << _constant(1, "int8"))


def _constant(value: int, dtype: str) -> Expression:
    from tvm import tirx

    return tirx.const(value, dtype)


def _shifted_left(a: Expression, shift: Expression, sign: Expression) -> Expression:
    return (a << shift).astype("int32") * sign.astype("int32")


def _exact(a: Array, w: Array) -> Array:
    return a.astype(np.int64) @ np.ldexp(w, FRACTION).astype(np.int64).swapaxes(1, 2)


def _separate(w: Array) -> tuple[Array, ...]:
    codes = formats.encode(w, _WIDE).astype(np.int8)
    return codes & np.int8(15), np.int8(1) - 2 * (codes >> np.int8(4))


def _joined(stored: tuple[Array, ...], k: int) -> Array:
    shift, sign = stored
    return formats.decode(shift.astype(np.uint8) | np.where(sign < 0, 16, 0).astype(np.uint8), _WIDE)


def _exact_right(a: Array, w: Array) -> Array:
    return summed(a, _separate(w), lambda row, shift, sign: (row >> shift) * sign)


PACKED = Kernel(
    name="matshift", title="MatShift, two 4-bit weights a byte", activation="int8", result="int32", word="int16",
    weights=(Stored("uint8", 2),), primitive="shift", formats=("int8", _NARROW), draw=draw(4),
    encode=lambda w: (pack(w, _NARROW),), decode=lambda stored, k: unpack(stored[0], _NARROW, k), exact=_exact,
    planes=_planes, term=_shifted_left, dot="shift_dot",
)  # fmt: skip
PUBLISHED = Kernel(
    name="matshift-published", title="MatShift as published: int32, int8 shifts and signs", activation="int32",
    result="int32", word="int32", weights=(Stored("int8"), Stored("int8")), primitive="shift",
    formats=("int32", _WIDE), draw=draw(5), encode=_separate, decode=_joined, exact=_exact_right,
    planes=lambda stored, b, n, k: (stored[0][b, n, k], stored[1][b, n, k]),
    term=lambda a, shift, sign: (a >> shift) * sign,
)  # fmt: skip
