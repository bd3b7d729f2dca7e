"""Predictive-sign PE: the sign of a weight gradient, from its high bits if they suffice (E2-Train's PSG)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from amaranth.hdl import Module, Mux, ShapeLike, Signal, Value, signed, unsigned
from numpy.typing import NDArray
from pydantic import Field, model_validator

from rtl.pe.component import Beat, Element, Term, add, fit, register
from rtl.pe.element import Accumulator, accumulate


class PredictiveSignPE(Accumulator):
    """The sign of ``sum x * g``: predicted by the high bits, completed by the low bits only where it must be.

    A sum takes two passes over its beats. With ``rest`` 0, a beat adds ``x_high * g_high`` to the predictor;
    the first such beat clears both accumulators. With ``rest`` 1, it adds what the predictor left out, ``x *
    g - (x_high * g_high << dropped)``, to the second accumulator, unless the predictor is *sure*: its
    magnitude is at least ``threshold``. A sure PE ignores the second pass, so its registers can be gated and
    the sequencer may leave the pass out. ``threshold`` counts in steps of the predictor and stays the same
    for a whole sum.

    Results: ``acc`` is the predictor, scaled up, if sure and otherwise the full sum; ``sign`` is its sign as
    two bits of a signed number (-1, 0, 1); ``sure`` says which it was.

    Term: ``x_bits + g_bits + 1`` bits. Latency: ``1 + stages`` cycles. Throughput: one term per cycle.

    Attributes
    ----------
    x_bits, g_bits
        Width of the signed activation and of the signed output gradient.
    x_high, g_high
        How many of their high bits predict.
    """

    key: ClassVar[str] = "predictive_sign"

    accumulator: Annotated[int, Field(ge=2, le=48)] = 40
    restart: Literal["first"] = "first"
    x_bits: Annotated[int, Field(ge=2, le=16)] = 8
    g_bits: Annotated[int, Field(ge=2, le=16)] = 16
    x_high: Annotated[int, Field(ge=1, le=16)] = 4
    g_high: Annotated[int, Field(ge=1, le=16)] = 10

    @model_validator(mode="after")
    def _high_bits_are_some_bits(self) -> PredictiveSignPE:
        if self.x_high > self.x_bits or self.g_high > self.g_bits:
            raise ValueError("high bits must be at most the bits of their operand")
        return self

    @property
    def operands(self) -> dict[str, str]:
        return {
            "x": f"int{self.x_bits}",
            "g": f"int{self.g_bits}",
            "rest": "bin01",
            "threshold": f"uint{self.predictor_bits}",
        }

    @property
    def results(self) -> dict[str, ShapeLike]:
        return {**super().results, "sign": signed(2), "sure": unsigned(1)}

    @property
    def dropped(self) -> int:
        """Bits by which the predictor's step exceeds the full sum's."""
        return self.x_bits - self.x_high + self.g_bits - self.g_high

    @property
    def predictor_bits(self) -> int:
        """Width of the predictor's accumulator."""
        return self.accumulator - self.dropped

    @property
    def term_bits(self) -> int:
        return self.x_bits + self.g_bits + 1

    def high_terms(self, x: NDArray[Any], g: NDArray[Any]) -> NDArray[Any]:
        """Return the products of the high bits."""
        return (x.astype(np.int64) >> (self.x_bits - self.x_high)) * (g.astype(np.int64) >> (self.g_bits - self.g_high))

    def terms(self, **operands: NDArray[Any]) -> NDArray[Any]:
        x, g = operands["x"].astype(np.int64), operands["g"].astype(np.int64)
        high = self.high_terms(x, g) << self.dropped
        return np.where(operands["rest"] == 1, x * g - high, high)

    def run(self, starts: NDArray[Any], operands: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        rest = operands["rest"] == 1
        high = np.where(rest, 0, self.high_terms(operands["x"], operands["g"]))
        predictor = accumulate(high, starts, self.predictor_bits, self.overflow)
        sure = np.abs(predictor) >= operands["threshold"].astype(np.int64)
        # a beat of the second pass sees the predictor as the beat before left it
        before = np.abs(np.where(starts, 0, np.roll(predictor, 1))) >= operands["threshold"].astype(np.int64)
        low = np.where(rest & ~before, self.terms(**operands), 0)
        full = self._full(predictor, accumulate(low, starts, self.accumulator, self.overflow))
        total = np.where(sure, predictor << self.dropped, full)
        return {"acc": total, "sign": np.sign(total), "sure": sure.astype(np.int64)}

    def _full(self, predictor: NDArray[Any], low: NDArray[Any]) -> NDArray[Any]:
        both = np.stack([predictor << self.dropped, low], axis=1).ravel()
        starts = np.arange(len(both)) % 2 == 0
        return accumulate(both, starts, self.accumulator, self.overflow)[1::2]

    def create(self) -> Element:
        return _PredictiveSignPE(self)


class _PredictiveSignPE(Element):
    parameters: PredictiveSignPE

    def __init__(self, parameters: PredictiveSignPE) -> None:
        super().__init__(parameters)
        self.predictor = Signal(signed(parameters.predictor_bits), reset_less=True)
        self.rest_sum = Signal(signed(parameters.accumulator), reset_less=True)
        self.held_threshold = Signal(parameters.predictor_bits, reset_less=True)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.ready.eq(1)
        pe = self.parameters
        beat, operands = Beat(self.valid, self.first, self.last), self.operand_ports()
        if pe.stages >= 2:
            beat, operands = register(m, beat, operands, "operand")
        x, g = operands["x"], operands["g"]
        high = x[pe.x_bits - pe.x_high :].as_signed() * g[pe.g_bits - pe.g_high :].as_signed()
        low = self._low(x, g)
        fields = {"high": high, "low": low, "rest": operands["rest"], "threshold": operands["threshold"]}
        if pe.stages >= 1:
            beat, fields = register(m, beat, fields, "term")
        self._sum(m, beat, fields)
        m.d.sync += self.done.eq(beat.valid & beat.last)
        return m

    def _low(self, x: Value, g: Value) -> Value:
        """What the product of the high bits leaves out: ``x_low * g + (x_high << x_drop) * g_low``."""
        pe = self.parameters
        x_drop, g_drop = pe.x_bits - pe.x_high, pe.g_bits - pe.g_high
        return (x[:x_drop] * g + ((x[x_drop:].as_signed() * g[:g_drop]) << x_drop))[: pe.term_bits].as_signed()

    def _sum(self, m: Module, beat: Beat, fields: dict[str, Value]) -> None:
        pe = self.parameters
        high, low, sure = self.predictor, self.rest_sum, Signal()
        base_high, base_low = Mux(beat.first, 0, high), Mux(beat.first, 0, low)
        m.d.comb += sure.eq(_magnitude(base_high) >= fields["threshold"])
        next_high = self._next(m, base_high, fields["high"], pe.predictor_bits)
        next_low = self._next(m, base_low, fields["low"], pe.accumulator)
        with m.If(beat.valid & (beat.first | ~fields["rest"])):
            m.d.sync += high.eq(Mux(fields["rest"], 0, next_high))
        with m.If(beat.valid & (beat.first | (fields["rest"] & ~sure))):
            m.d.sync += low.eq(Mux(fields["rest"] & ~sure, next_low, 0))
        self._results(m, beat, high, low, fields["threshold"])

    def _next(self, m: Module, base: Value, addend: Value, bits: int) -> Value:
        return fit(add(m, base, Term(addend), bits + 1), bits, self.parameters.overflow)

    def _results(self, m: Module, beat: Beat, high: Value, low: Value, threshold: Value) -> None:
        pe = self.parameters
        held = self.held_threshold
        with m.If(beat.valid):
            m.d.sync += held.eq(threshold)
        scaled = (high << pe.dropped).as_signed()
        full = self._next(m, scaled, low, pe.accumulator)
        m.d.comb += [
            self.sure.eq(_magnitude(high) >= held),
            self.acc.eq(Mux(self.sure, scaled, full)),
            self.sign.eq(Mux(self.acc == 0, 0, Mux(self.acc < 0, -1, 1))),
        ]


def _magnitude(value: Value) -> Value:
    return Mux(value < 0, -value, value)
