"""Shift-add PE: the two layers of ShiftAddNet in one element, chosen at run time."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from amaranth.hdl import Module, Mux, Signal, Value, signed
from numpy.typing import NDArray
from pydantic import Field

from rtl.pe.component import Beat, Element, Term, negate_if, spread
from rtl.pe.element import Accumulator


class ShiftAddPE(Accumulator):
    """``acc += s * (x << e)`` in mode 0, ``acc += -|x - w|`` in mode 1.

    In mode 0 the lowest ``shift_bits`` of the weight are the code of a power of two (``pow2_N`` or ``pow2z_N``:
    exponent, then sign) and the others do nothing. Both modes share the negation and the accumulator.

    Term: ``bits + largest shift + 1`` bits. Latency: ``1 + stages`` cycles. Throughput: one term per cycle.

    Attributes
    ----------
    bits
        Width of the signed activation and of the weight.
    shift_bits
        Bits of the weight in mode 0: one of sign, the others of exponent.
    zero
        Whether the largest exponent code means the weight zero in mode 0 (``pow2z_N``).
    """

    key: ClassVar[str] = "shift_add"

    bits: Annotated[int, Field(ge=5, le=16)] = 8
    shift_bits: Annotated[int, Field(ge=2, le=5)] = 4
    zero: bool = False

    @property
    def operands(self) -> dict[str, str]:
        return {"x": f"int{self.bits}", "w": f"int{self.bits}", "mode": "uint1"}

    @property
    def largest_shift(self) -> int:
        """The largest exponent of a weight that is not zero."""
        return (1 << (self.shift_bits - 1)) - 1 - self.zero

    @property
    def term_bits(self) -> int:
        return self.bits + self.largest_shift + 1

    def terms(self, *, x: NDArray[Any], w: NDArray[Any], mode: NDArray[Any]) -> NDArray[Any]:  # type: ignore[override]
        wide, weight = x.astype(np.int64), w.astype(np.int64)
        exponent = weight & ((1 << (self.shift_bits - 1)) - 1)
        shifted = np.where(exponent > self.largest_shift, 0, wide << exponent)
        negative = (weight >> (self.shift_bits - 1)) & 1 == 1
        return np.where(mode == 1, -np.abs(wide - weight), np.where(negative, -shifted, shifted))

    def create(self) -> Element:
        return _ShiftAddPE(self)


class _ShiftAddPE(Element):
    parameters: ShiftAddPE

    def term(self, m: Module, beat: Beat, operands: dict[str, Value]) -> Term:
        pe, x, w, mode = self.parameters, operands["x"], operands["w"], operands["mode"]
        exponent, sign = w[: pe.shift_bits - 1], w[pe.shift_bits - 1]
        shifted, difference = Signal(signed(pe.term_bits)), Signal(signed(pe.bits + 1))
        keep = ~exponent.all() if pe.zero else Value.cast(1)
        m.d.comb += [shifted.eq((x << exponent) & spread(keep, pe.term_bits)), difference.eq(x - w)]
        return negate_if(m, Mux(mode, difference, shifted), Mux(mode, ~difference[-1], sign & keep), pe.term_bits)
