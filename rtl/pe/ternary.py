"""Ternary add PE whose weights' signs come out of a shift register (random networks with a mask, RST)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from amaranth.hdl import Module, Mux, Signal, Value
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from rtl.pe import lfsr
from rtl.pe.component import Beat, Element, Term, extend, negate_if, spread
from rtl.pe.element import Accumulator


def _known_width(bits: int) -> int:
    if bits not in lfsr.TAPS:
        raise ValueError(f"width must be one of {', '.join(map(str, lfsr.TAPS))}")
    return bits


class TernaryAddPE(Accumulator):
    """``acc += w * x`` with ``w`` in {-1, 0, 1}: the mask bit ``keep`` streams in, the sign is regenerated.

    The sign of a beat is the lowest bit of a linear feedback shift register (1 is minus) that steps with
    every beat, masked or not, so that the n-th weight of a layer is the same for every mask. A beat marked
    ``reseed`` takes ``seed`` as its state. Weight storage is one bit a weight and one seed a layer.

    Term: ``x_bits + 1`` bits. Latency: ``1 + stages`` cycles. Throughput: one term per cycle.

    Attributes
    ----------
    x_bits
        Width of the signed activation.
    lfsr_bits
        Width of the register; its period is ``2**lfsr_bits - 1``.
    """

    key: ClassVar[str] = "ternary_add"

    x_bits: Annotated[int, Field(ge=2, le=16)] = 8
    lfsr_bits: Annotated[int, AfterValidator(_known_width)] = 16

    @property
    def operands(self) -> dict[str, str]:
        return {"x": f"int{self.x_bits}", "keep": "bin01", "reseed": "bin01", "seed": f"uint{self.lfsr_bits}"}

    @property
    def term_bits(self) -> int:
        return self.x_bits + 1

    def signs(self, reseed: NDArray[Any], seed: NDArray[Any]) -> NDArray[Any]:
        """Return the sign bit of each beat; the register starts at zero."""
        bits, state = np.empty(len(seed), np.int64), 0
        for index, (again, start) in enumerate(zip(reseed.tolist(), seed.tolist(), strict=True)):
            state = start if again else state
            bits[index] = state & 1
            state = lfsr.step(state, self.lfsr_bits)
        return bits

    def terms(  # type: ignore[override]
        self, *, x: NDArray[Any], keep: NDArray[Any], reseed: NDArray[Any], seed: NDArray[Any]
    ) -> NDArray[Any]:
        x = x.astype(np.int64)
        return np.where(keep == 1, np.where(self.signs(reseed, seed) == 1, -x, x), 0)

    def create(self) -> Element:
        return _TernaryAddPE(self)


class _TernaryAddPE(Element):
    parameters: TernaryAddPE

    def __init__(self, parameters: TernaryAddPE) -> None:
        super().__init__(parameters)
        self.state = Signal(parameters.lfsr_bits, name="lfsr")

    def term(self, m: Module, beat: Beat, operands: dict[str, Value]) -> Term:
        bits = self.parameters.lfsr_bits
        held = self.state
        state = Signal(bits)
        m.d.comb += state.eq(Mux(operands["reseed"], operands["seed"], held))
        with m.If(beat.valid):
            m.d.sync += held.eq(lfsr.step_value(state, bits))
        keep, wide = operands["keep"], self.parameters.term_bits
        masked = extend(m, operands["x"], wide) & spread(keep, wide)
        return negate_if(m, masked, state[0] & keep, wide)
