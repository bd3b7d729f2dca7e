"""Names and widths of the number formats."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from hwsim.errors import InputError

_FIXED_WIDTH = {
    "fp64": 64, "fp32": 32, "fp16": 16, "bf16": 16, "fp8_e4m3": 8, "fp8_e5m2": 8, "fp4_e2m1": 4, "e8m0": 8,
    "bin": 1, "bin01": 1, "ternary": 2, "bool": 8, "complex64": 64, "complex128": 128,
}  # fmt: skip
_PARAMETRIC = re.compile(r"(int|uint|pow2_|pow2z_)([1-9][0-9]?)")
_FIXED_POINT = re.compile(r"(fixed|ufixed)([1-9][0-9]?)_(0|[1-9][0-9]?)")
_OWN_KIND = frozenset({"bin", "bin01", "ternary", "bool", "e8m0"})


@dataclass(frozen=True)
class Format:
    """A number format.

    Attributes
    ----------
    name
        ``fp32``, ``int8``, ``uint4``, ``pow2_5`` (sign and exponent of a power of two, 5 bits in all),
        ``fixed8_4`` (8 bits, 4 of them after the point) ...
    kind
        The name without its width: ``fp``, ``int``, ``uint``, ``pow2``, ``pow2z``, ``fixed``, ``ufixed``,
        ``ternary``, ``bin``, ``bin01``, ``e8m0``, ``bool``, ``complex``.
    bits
        Storage width of one value in bits.
    fraction
        Bits after the binary point (fixed point only).
    """

    name: str
    kind: str
    bits: int
    fraction: int = 0


@lru_cache
def parse(name: str) -> Format:
    """Return the format called ``name``.

    Raises
    ------
    InputError
        If no format has that name or the width is outside 1..64.
    """
    if name in _FIXED_WIDTH:
        kind = name if name in _OWN_KIND else "complex" if name.startswith("complex") else "fp"
        return Format(name, kind, _FIXED_WIDTH[name])
    match = _PARAMETRIC.fullmatch(name)
    if match and int(match[2]) <= 64:
        return Format(name, match[1].rstrip("_"), int(match[2]))
    match = _FIXED_POINT.fullmatch(name)
    if match and int(match[3]) <= int(match[2]) <= 64:
        return Format(name, match[1], int(match[2]), int(match[3]))
    known = ", ".join(_FIXED_WIDTH)
    raise InputError(
        f"format must be one of {known}, intN, uintN, pow2_N or pow2z_N with N in 1..64,"
        " or fixedN_F or ufixedN_F with F <= N",
        value=name,
    )
