"""The formats of `hwsim.formats` as Amaranth shapes."""

from __future__ import annotations

from amaranth.hdl import Shape, ShapeLike, signed, unsigned
from amaranth.lib import data

from hwsim import formats
from hwsim.errors import InputError
from hwsim.formats.floats import LAYOUTS


def shape(name: str) -> ShapeLike:
    """Return the shape that holds the codes of format ``name``.

    Integers and fixed point are ``signed`` or ``unsigned``; everything with fields is a
    :class:`amaranth.lib.data.StructLayout` with the fields of the format, from the lowest bit: ``mantissa``,
    ``exponent``, ``sign`` (floats), ``exponent``, ``sign`` (powers of two), ``nonzero``, ``sign`` (ternary).

    Raises
    ------
    InputError
        If the format has no code for one value (``complex``).
    """
    form = formats.parse(name)
    if form.kind in {"int", "fixed"}:
        return signed(form.bits)
    if form.kind in {"uint", "ufixed", "bin", "bin01", "bool", "e8m0"}:
        return unsigned(form.bits)
    if form.kind in {"pow2", "pow2z"}:
        return data.StructLayout({"exponent": form.bits - 1, "sign": 1})
    if form.kind == "ternary":
        return data.StructLayout({"nonzero": 1, "sign": 1})
    if form.kind == "fp":
        layout = LAYOUTS[name]
        return data.StructLayout({"mantissa": layout.mantissa, "exponent": layout.exponent, "sign": 1})
    raise InputError("format must have one code per value", field="format", value=name)


def width(name: str) -> int:
    """Return the bits of one code of format ``name``."""
    return int(Shape.cast(shape(name)).width)
