"""Weights as kernels read them: codes of `hwsim.formats`, as many to a byte as fit, the first in the lowest bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim import formats
from hwsim.errors import InputError

Array = NDArray[Any]


def per_byte(name: str) -> int:
    """Return how many codes of format ``name`` a byte holds.

    Raises
    ------
    InputError
        If they do not fill a byte.
    """
    bits = formats.parse(name).bits
    if 8 % bits:
        raise InputError("format must have 1, 2, 4 or 8 bits to be packed in bytes", value=name)
    return 8 // bits


def pack(values: ArrayLike, name: str) -> Array:
    """Encode ``values``, shape ``(..., k)``, in format ``name`` and pack them: uint8, ``(..., ceil(k / per_byte))``.

    Values must be in the format; spare codes of the last byte are zero.
    """
    count = per_byte(name)
    codes = formats.encode(values, name)
    spare = -codes.shape[-1] % count
    codes = np.pad(codes, [(0, 0)] * (codes.ndim - 1) + [(0, spare)])
    shifts = np.arange(count, dtype=np.uint8) * np.uint8(8 // count)
    grouped = codes.reshape(*codes.shape[:-1], -1, count).astype(np.uint8) << shifts
    return np.asarray(np.bitwise_or.reduce(grouped, axis=-1), np.uint8)


def unpack(packed: Array, name: str, k: int) -> Array:
    """Return the values of the first ``k`` codes of every row of ``packed``; undoes `pack`."""
    count = per_byte(name)
    shifts = np.arange(count, dtype=np.uint8) * np.uint8(8 // count)
    codes = (packed[..., np.newaxis] >> shifts) & np.uint8(0xFF >> (8 - 8 // count))
    return formats.decode(codes.reshape(*packed.shape[:-1], -1)[..., :k], name)
