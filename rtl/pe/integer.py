"""Integer multiply-accumulate."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from amaranth.hdl import Module, Value
from numpy.typing import NDArray
from pydantic import Field

from rtl.pe.component import Beat, Element, Term
from rtl.pe.element import Accumulator

Bits = Annotated[int, Field(ge=2, le=16)]


class IntegerMac(Accumulator):
    """``acc += x * w`` on signed integers.

    Term: ``x_bits + w_bits`` bits. Latency: ``1 + stages`` cycles. Throughput: one product per cycle.

    Attributes
    ----------
    x_bits, w_bits
        Operand widths, 2 to 16.
    x_signed
        False for activations behind a ReLU.
    stages
        Up to 3: operands and product then lie in the registers of a multiplier (ECP5), and the wires from there to the
        adder have a cycle of their own.
    """

    key: ClassVar[str] = "int_mac"

    x_bits: Bits = 8
    w_bits: Bits = 8
    x_signed: bool = True
    stages: Annotated[int, Field(ge=0, le=3)] = 0

    @property
    def operands(self) -> dict[str, str]:
        return {"x": f"{'int' if self.x_signed else 'uint'}{self.x_bits}", "w": f"int{self.w_bits}"}

    @property
    def term_bits(self) -> int:
        return self.x_bits + self.w_bits

    def terms(self, *, x: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:  # type: ignore[override]
        return x.astype(np.int64) * w.astype(np.int64)

    def create(self) -> Element:
        return _IntegerMac(self)


class _IntegerMac(Element):
    def term(self, m: Module, beat: Beat, operands: dict[str, Value]) -> Term:
        return Term(operands["x"] * operands["w"])
