"""Bit-serial multiply-accumulate with run-time precision (Stripes)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from numpy.typing import NDArray
from pydantic import Field

from rtl.pe.component import Beat, Element, Term, extend, negate_if, spread
from rtl.pe.element import Accumulator


class BitSerialMac(Accumulator):
    """``acc += x * w`` with ``x`` taken bit by bit: its lowest ``precision`` bits are a signed number.

    One adder: each cycle adds the weight, shifted up, where the bit of ``x`` is one; the sign bit subtracts
    it. ``precision`` 0 means 1, and more than ``x_bits`` means ``x_bits``.

    Term: ``x_bits + w_bits`` bits. Latency and cycles per beat: ``precision``. Throughput: one product in
    ``precision`` cycles, so ``x_bits / precision`` times that of the widest operands.

    Attributes
    ----------
    x_bits
        The largest precision, 1 to 16.
    w_bits
        Width of the signed weight.
    """

    key: ClassVar[str] = "bit_serial"

    x_bits: Annotated[int, Field(ge=1, le=16)] = 8
    w_bits: Annotated[int, Field(ge=2, le=16)] = 8
    stages: Annotated[int, Field(ge=0, le=0)] = 0
    restart: Literal["first"] = "first"
    overflow: Literal["wrap"] = "wrap"  # saturating each bit's sum would not saturate the product's

    @property
    def operands(self) -> dict[str, str]:
        return {
            "x": f"uint{self.x_bits}",
            "w": f"int{self.w_bits}",
            "precision": f"uint{self.x_bits.bit_length()}",
        }

    @property
    def term_bits(self) -> int:
        return self.x_bits + self.w_bits

    def cycles(self, **operands: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.clip(operands["precision"].astype(np.int64), 1, self.x_bits))

    def terms(  # type: ignore[override]
        self, *, x: NDArray[Any], w: NDArray[Any], precision: NDArray[Any]
    ) -> NDArray[Any]:
        bits = self.cycles(precision=precision)
        half = np.int64(1) << (bits - 1)
        number = ((x.astype(np.int64) + half) & ((np.int64(1) << bits) - 1)) - half
        return np.asarray(number * w.astype(np.int64))

    def create(self) -> Element:
        return _BitSerialMac(self)


class _BitSerialMac(Element):
    parameters: BitSerialMac

    def __init__(self, parameters: BitSerialMac) -> None:
        super().__init__(parameters)
        self.left = Signal(range(parameters.x_bits), name="left")
        self.later_x = Signal(parameters.x_bits, name="later_x", reset_less=True)
        self.later_w = Signal(signed(parameters.term_bits), name="later_w", reset_less=True)
        self.later_last = Signal(name="later_last", reset_less=True)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe = self.parameters
        left, later_x, later_w, last = self.left, self.later_x, self.later_w, self.later_last
        more = left != 0
        take = self.valid & ~more
        m.d.comb += self.ready.eq(~more)
        wanted = self._steps(m)
        steps = Signal.like(left)
        m.d.comb += steps.eq(Mux(more, left - 1, wanted))
        x = Mux(more, later_x, self.x)
        w = extend(m, Mux(more, later_w, self.w), pe.term_bits)
        with m.If(take | more):
            m.d.sync += [left.eq(steps), later_x.eq(x[1:]), later_w.eq(Cat(Const(0, 1), w))]
        with m.If(take):
            m.d.sync += last.eq(self.last)
        ends = Mux(more, last, self.last) & (steps == 0)
        beat = Beat(take | more, self.first & ~more, ends)
        self.accumulate(m, beat, self._bit(m, x[0], w, steps == 0))
        m.d.sync += self.done.eq(beat.valid & beat.last)
        return m

    def _steps(self, m: Module) -> Value:
        """Cycles that follow the one in which a beat is taken."""
        largest = self.parameters.x_bits
        steps = Signal(range(largest))
        with m.If(self.precision >= largest):
            m.d.comb += steps.eq(largest - 1)
        with m.Elif(self.precision != 0):
            m.d.comb += steps.eq(self.precision - 1)
        return steps

    def _bit(self, m: Module, bit: Value, w: Value, is_sign: Value) -> Term:
        bits = self.parameters.term_bits
        masked = w & spread(bit, bits)
        return negate_if(m, masked, is_sign & bit, bits)
