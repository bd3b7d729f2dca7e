"""From values to codes and back, for every format with one code per value."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.errors import InputError
from hwsim.formats.floats import LAYOUTS, decode_float, encode_float
from hwsim.formats.names import Format, parse

Array = NDArray[Any]

MAX_EXPONENT_BITS = 10  # 2**-1023 is the smallest power that float64 holds without a subnormal mantissa


def encode(values: ArrayLike, name: str, *, saturate: bool = False) -> Array:
    """Return the codes of ``values`` in format ``name``.

    Parameters
    ----------
    values
        Numbers, any shape. They are rounded to the nearest value of the format, ties to even.
    name
        A format with one code per value (not ``complex``).
    saturate
        Clip values beyond the range to its ends. Without it they become infinity or NaN where the format has
        those, and an error where it has neither.

    Returns
    -------
    numpy.ndarray
        Unsigned integers of the shape of ``values``, in the smallest dtype that holds the format's bits.

    Raises
    ------
    InputError
        If a value has no code in the format.
    """
    form = parse(name)
    given = np.asarray(values)
    kind = form.kind
    if kind == "fp":
        codes = _encode_fp(given, form, saturate)
    elif kind in {"int", "uint", "fixed", "ufixed"}:
        codes = _encode_fixed(given, form, saturate)
    elif kind in {"pow2", "pow2z", "e8m0"}:
        codes = _encode_power(given.astype(np.float64), form, saturate)
    elif kind in _SMALL:
        codes = _encode_small(given, form)
    else:
        raise InputError("format must have one code per value", field="format", value=name)
    return codes.astype(_code_type(form.bits))


def decode(codes: ArrayLike, name: str) -> Array:
    """Return the values of ``codes`` in format ``name``.

    Integers and ``bin``, ``bin01``, ``bool`` and ``ternary`` give int64 (``uint64`` for ``uint``), everything
    else float64.

    Raises
    ------
    InputError
        If a code does not fit the format's bits.
    """
    form = parse(name)
    given = np.asarray(codes).astype(np.uint64)
    if form.bits < 64 and np.any(given >> np.uint64(form.bits)):
        raise InputError(f"code must fit the {form.bits} bits of {name}", value=int(given.max()))
    if form.kind == "fp":
        return decode_float(given, LAYOUTS[name])
    if form.kind in {"int", "uint", "fixed", "ufixed"}:
        return _decode_fixed(given, form)
    if form.kind in {"pow2", "pow2z", "e8m0"}:
        return _decode_power(given, form)
    if form.kind in _SMALL:
        return np.asarray(_SMALL[form.kind], dtype=np.int64)[given]
    raise InputError("format must have one code per value", field="format", value=name)


_SMALL: dict[str, tuple[int, ...]] = {
    "bin": (1, -1),  # the code is the sign bit, as in every other signed format here
    "bin01": (0, 1),
    "bool": (0, *(1,) * 255),
    "ternary": (0, 1, 0, -1),  # sign above non-zero: two's complement of -1, 0 and 1; 0b10 is a second zero
}


def _code_type(bits: int) -> Any:
    return next(kind for kind in (np.uint8, np.uint16, np.uint32, np.uint64) if kind(0).itemsize * 8 >= bits)


def _encode_fp(values: Array, form: Format, saturate: bool) -> Array:
    layout = LAYOUTS[form.name]
    values = values.astype(np.float64)
    if layout.specials == "none":
        largest = float(decode_float(np.asarray(layout.largest_code), layout))
        lost = np.isnan(values) if saturate else ~(np.abs(values) <= largest)
        _refuse(values, lost, f"must be a number in -{largest:g}..{largest:g} to fit {form.name}")
    return encode_float(values, layout, saturate=saturate)


def _encode_fixed(values: Array, form: Format, saturate: bool) -> Array:
    signed = form.kind in {"int", "fixed"}
    low, high = (-(1 << (form.bits - 1)), (1 << (form.bits - 1)) - 1) if signed else (0, (1 << form.bits) - 1)
    if values.dtype.kind in "iub" and not form.fraction:
        steps = values
        inside = np.asarray([low <= int(value) <= high for value in values.flat]).reshape(values.shape)
    else:
        steps = np.rint(np.ldexp(values.astype(np.float64), form.fraction))
        inside = (steps >= low) & (steps < high + 1.0) if form.bits > 53 else (steps >= low) & (steps <= high)
    lost = np.isnan(values) if saturate and values.dtype.kind == "f" else ~inside & (not saturate)
    _refuse(values, lost, f"must lie in the range of {form.name}")
    above = ~inside & (steps > 0)
    kept = np.where(inside, steps, 0)
    codes = kept.astype(np.int64 if signed else np.uint64).astype(np.uint64)
    mask = (1 << form.bits) - 1
    codes = np.where(inside, codes, np.where(above, np.uint64(high), np.uint64(low & mask)))
    return codes & np.uint64(mask)


def _decode_fixed(codes: Array, form: Format) -> Array:
    spare = np.uint64(64 - form.bits)
    if form.kind in {"uint", "ufixed"}:
        integers: Array = codes
    else:
        integers = (codes << spare).astype(np.int64) >> spare.astype(np.int64)
    return integers if form.kind in {"int", "uint"} else np.ldexp(integers.astype(np.float64), -form.fraction)


def _exponent_codes(form: Format) -> int:
    """How many exponent codes mean a power of two; ``pow2z`` keeps the last one for zero."""
    bits = form.bits - 1
    if bits > MAX_EXPONENT_BITS:
        raise InputError(
            f"power-of-two format must have at most {MAX_EXPONENT_BITS + 1} bits to be encoded",
            value=form.name,
        )
    return (1 << bits) - (form.kind == "pow2z")


def _encode_power(values: Array, form: Format, saturate: bool) -> Array:
    if form.kind == "e8m0":
        return _encode_e8m0(values, saturate)
    count, sign_bit = _exponent_codes(form), np.uint64(1 << (form.bits - 1))
    magnitude = np.abs(values)
    mantissa, exponent = np.frexp(np.where(np.isfinite(magnitude) & (magnitude > 0), magnitude, 1.0))
    # nearest power of two in value: 0.75 lies halfway between 0.5 and 1; ties go to the even exponent
    power = exponent.astype(np.int64) - 1
    power += (mantissa > 0.75) | ((mantissa == 0.75) & (power % 2 == 1))
    zero = magnitude < np.ldexp(0.5, 1 - count) if form.kind == "pow2z" else np.zeros(values.shape, bool)
    below, above = ~zero & ((power < 1 - count) | (magnitude == 0)), np.isinf(magnitude) | (power > 0)
    lost = np.isnan(values) if saturate else np.isnan(values) | above | (below & (magnitude < 2.0**-count))
    _refuse(values, lost, f"must round to a power of two of {form.name}")
    field = np.where(above, 0, np.where(below, count - 1, -power))
    codes = np.where(zero, np.int64(count), field).astype(np.uint64)
    return codes | np.where(np.signbit(values) & ~zero, sign_bit, np.uint64(0))


def _decode_power(codes: Array, form: Format) -> Array:
    if form.kind == "e8m0":
        return np.where(codes == 255, np.nan, np.ldexp(1.0, codes.astype(np.int64) - 127))
    count = _exponent_codes(form)
    field = (codes & np.uint64((1 << (form.bits - 1)) - 1)).astype(np.int64)
    magnitude = np.where(field >= count, 0.0, np.ldexp(1.0, -field))
    return np.where(codes >> np.uint64(form.bits - 1) > 0, -magnitude, magnitude) + 0.0


def _encode_e8m0(values: Array, saturate: bool) -> Array:
    """Powers of two alone: the exponent field of fp32 with no sign, no zero and one NaN."""
    mantissa, exponent = np.frexp(np.where(np.isfinite(values), values, 1.0))
    field = exponent.astype(np.int64) + 126
    exact = (mantissa == 0.5) | np.isnan(values)
    inside = exact & (field >= 0) & (field <= 254) & ~np.isinf(values)
    lost = ~inside & (~exact | (not saturate))
    _refuse(values, lost, "must be a power of two in 2**-127..2**127 to fit e8m0")
    return np.where(np.isnan(values), 255, np.clip(field, 0, 254)).astype(np.uint64)


def _encode_small(values: Array, form: Format) -> Array:
    table = _SMALL[form.kind]
    known = np.isin(values, table)
    allowed = " or ".join(str(value) for value in sorted(set(table)))
    _refuse(values, ~known, f"must be {allowed} to fit {form.name}")
    return np.asarray([table.index(int(value)) for value in values.flat], np.uint64).reshape(values.shape)


def _refuse(values: Array, lost: Any, rule: str) -> None:
    if np.any(lost):
        raise InputError(f"value {rule}", value=values[np.broadcast_to(lost, values.shape)].flat[0].item())
