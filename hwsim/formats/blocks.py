"""Block formats: elements that share a power-of-two scale (OCP Microscaling, MX v1.0)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.errors import InputError
from hwsim.formats.codec import decode, encode
from hwsim.formats.floats import LAYOUTS, decode_float

Array = NDArray[Any]

BLOCK = 32
"""Elements that share one scale in every concrete MX format."""

_ELEMENTS = ("fp8_e5m2", "fp8_e4m3", "fp4_e2m1", "int8")


def encode_mx(values: ArrayLike, element: str, *, block: int = BLOCK) -> tuple[Array, Array]:
    """Return ``(scales, codes)`` of ``values``, whose last axis is cut into blocks.

    The scale of a block is ``2**(floor(log2(max |value|)) - emax)`` with ``emax`` the exponent of the element
    format's largest value; elements are divided by it, rounded to nearest even and saturated (section 6.3 of
    the specification). A block with a NaN or an infinity gets the NaN scale. MX ``int8`` elements have six
    fraction bits.

    Parameters
    ----------
    values
        Numbers of shape ``(..., n * block)``.
    element
        ``fp8_e5m2``, ``fp8_e4m3``, ``fp4_e2m1`` or ``int8``.
    block
        Elements per scale.

    Returns
    -------
    tuple
        ``e8m0`` codes of shape ``(..., n)`` and element codes of the shape of ``values``.
    """
    blocks = _blocks(np.asarray(values, np.float64), element, block)
    finite: Array = np.asarray(np.isfinite(blocks).all(axis=-1))
    largest = np.where(finite, np.abs(blocks).max(axis=-1, initial=0.0, where=np.isfinite(blocks)), 0.0)
    exponent = np.where(largest > 0, np.frexp(largest)[1] - 1 - _largest_exponent(element), -127)
    exponent = np.clip(exponent, -127, 127)
    scales = np.where(finite, exponent + 127, 255).astype(np.uint8)
    scaled = np.ldexp(np.where(finite[..., np.newaxis], blocks, 0.0), -exponent[..., np.newaxis])
    codes = encode(scaled, _element_format(element), saturate=True)
    return scales, codes.reshape(np.shape(values))


def decode_mx(scales: ArrayLike, codes: ArrayLike, element: str, *, block: int = BLOCK) -> Array:
    """Return the float64 values of a block format; see `encode_mx`. The NaN scale makes a whole block NaN."""
    blocks = _blocks(np.asarray(codes), element, block)
    values = decode(blocks, _element_format(element)) * decode(scales, "e8m0")[..., None]
    return values.reshape(np.shape(codes))


def _blocks(array: Array, element: str, block: int) -> Array:
    if element not in _ELEMENTS:
        raise InputError(f"MX element must be one of {', '.join(_ELEMENTS)}", value=element)
    if array.ndim == 0 or array.shape[-1] % block:
        raise InputError(f"last axis must be a multiple of the block of {block}", value=array.shape)
    return array.reshape(*array.shape[:-1], array.shape[-1] // block, block)


def _element_format(element: str) -> str:
    return "fixed8_6" if element == "int8" else element


def _largest_exponent(element: str) -> int:
    if element == "int8":
        return 0
    layout = LAYOUTS[element]
    return int(np.frexp(decode_float(np.asarray(layout.largest_code), layout))[1]) - 1
