"""Shift PE: a multiplication by a signed power of two."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from amaranth.hdl import Module, Signal, Value, signed
from numpy.typing import NDArray
from pydantic import Field

from rtl.pe.component import Beat, Element, Term, negate_if, spread
from rtl.pe.element import Accumulator


class ShiftPE(Accumulator):
    """``acc += s * (x << e)`` or ``acc += s * ((x << fraction) >> e)``, with ``s`` in {-1, 1}.

    The weight is the code of a power of two (``pow2_N``: sign and exponent). To the right it is the value of
    that format, ``s * 2**-e``: the accumulator then counts in steps of ``2**-fraction``, the shift is
    arithmetic and drops what falls below a step (towards minus infinity, before the negation). With
    ``fraction`` at the largest exponent nothing falls and the product is exact. The negation is an exclusive
    or and the accumulator's carry.

    Term: ``x_bits + largest shift + 1`` bits. Latency: ``1 + stages`` cycles. Throughput: one term per cycle.

    Attributes
    ----------
    x_bits
        Width of the signed activation.
    w_bits
        Bits of a weight: one of sign, the others of exponent.
    zero
        Whether the largest exponent code means the weight zero (``pow2z_N``).
    direction
        Where the activation is shifted.
    fraction
        Bits below the activation's point in the accumulator; to the right only.
    """

    key: ClassVar[str] = "shift"

    x_bits: Annotated[int, Field(ge=2, le=16)] = 8
    w_bits: Annotated[int, Field(ge=2, le=5)] = 4
    zero: bool = False
    direction: Literal["left", "right"] = "left"
    fraction: Annotated[int, Field(ge=0, le=15)] = 0

    @property
    def operands(self) -> dict[str, str]:
        return {"x": f"int{self.x_bits}", "w": f"pow2{'z' if self.zero else ''}_{self.w_bits}"}

    @property
    def largest_shift(self) -> int:
        """The largest exponent of a weight that is not zero."""
        return (1 << (self.w_bits - 1)) - 1 - self.zero

    @property
    def term_bits(self) -> int:
        return self.x_bits + (self.largest_shift if self.direction == "left" else self.fraction) + 1

    def terms(self, *, x: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:  # type: ignore[override]
        exponent = w & ((1 << (self.w_bits - 1)) - 1)
        wide = x.astype(np.int64) << self.fraction
        shifted = wide << exponent if self.direction == "left" else wide >> exponent
        shifted = np.where(exponent > self.largest_shift, 0, shifted)
        return np.where(w >> (self.w_bits - 1), -shifted, shifted)

    def create(self) -> Element:
        return _ShiftPE(self)


class _ShiftPE(Element):
    parameters: ShiftPE

    def term(self, m: Module, beat: Beat, operands: dict[str, Value]) -> Term:
        pe, code = self.parameters, Value.cast(operands["w"])
        exponent, sign = code[: pe.w_bits - 1], code[pe.w_bits - 1]
        wide = operands["x"] << pe.fraction
        shifted = Signal(signed(pe.term_bits - 1))
        m.d.comb += shifted.eq(wide << exponent if pe.direction == "left" else wide >> exponent)
        if not pe.zero:
            return negate_if(m, shifted, sign, pe.term_bits)
        keep = ~exponent.all()
        return negate_if(m, shifted & spread(keep, len(shifted)), sign & keep, pe.term_bits)
