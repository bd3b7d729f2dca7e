"""Number formats: the one source of their names and widths.

A name is the kind and its bits (``fp32``, ``int8``, ``pow2_5``); see `parse`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from hwsim.errors import InputError

_FIXED_WIDTH = {
    "fp64": 64, "fp32": 32, "fp16": 16, "bf16": 16, "fp8_e4m3": 8, "fp8_e5m2": 8, "fp4_e2m1": 4,
    "bin": 1, "bool": 8, "complex64": 64, "complex128": 128,
}  # fmt: skip
_PARAMETRIC = re.compile(r"(int|uint|pow2_)([1-9][0-9]?)")


@dataclass(frozen=True)
class Format:
    """A number format.

    Attributes
    ----------
    name
        ``fp32``, ``int8``, ``uint4``, ``pow2_5`` (sign and exponent of a power of two, 5 bits in all) ...
    kind
        The name without its width: ``fp``, ``int``, ``uint``, ``pow2``, ``bin``, ``bool``, ``complex``.
    bits
        Storage width of one value in bits.
    """

    name: str
    kind: str
    bits: int


@lru_cache
def parse(name: str) -> Format:
    """Return the format called ``name``.

    Raises
    ------
    InputError
        If no format has that name or the width is outside 1..64.
    """
    if name in _FIXED_WIDTH:
        kind = name if name in {"bin", "bool"} else "complex" if name.startswith("complex") else "fp"
        return Format(name, kind, _FIXED_WIDTH[name])
    match = _PARAMETRIC.fullmatch(name)
    if match and int(match[2]) <= 64:
        return Format(name, match[1].rstrip("_"), int(match[2]))
    known = ", ".join(_FIXED_WIDTH)
    raise InputError(f"format must be one of {known}, intN, uintN or pow2_N with N in 1..64", value=name)
