"""Adder PE: the L1 distance of AdderNet."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from amaranth.hdl import Module, Signal, Value, signed
from numpy.typing import NDArray
from pydantic import Field

from rtl.pe.component import Beat, Element, Term, negate_if
from rtl.pe.element import Accumulator


class AdderPE(Accumulator):
    """``acc += -|x - w|`` on signed integers.

    The difference is negated where it is positive: an exclusive or and the accumulator's carry.

    Term: ``bits + 1`` bits. Latency: ``1 + stages`` cycles. Throughput: one term per cycle.

    Attributes
    ----------
    bits
        Width of both operands.
    """

    key: ClassVar[str] = "adder"

    bits: Annotated[int, Field(ge=2, le=16)] = 8

    @property
    def operands(self) -> dict[str, str]:
        return {"x": f"int{self.bits}", "w": f"int{self.bits}"}

    @property
    def term_bits(self) -> int:
        return self.bits + 1

    def terms(self, *, x: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:  # type: ignore[override]
        return -np.abs(x.astype(np.int64) - w.astype(np.int64))

    def create(self) -> Element:
        return _AdderPE(self)


class _AdderPE(Element):
    parameters: AdderPE

    def term(self, m: Module, beat: Beat, operands: dict[str, Value]) -> Term:
        difference = Signal(signed(self.parameters.term_bits))
        m.d.comb += difference.eq(operands["x"] - operands["w"])
        return negate_if(m, difference, ~difference[-1], self.parameters.term_bits)
