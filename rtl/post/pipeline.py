"""Hardware of the post-processor: a row of sums per cycle, nine stages."""

from __future__ import annotations

from collections.abc import Callable

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.control.command import POST_LAYOUT
from rtl.post.processor import PostProcessor

BLOCK_BITS = 17
"""Unsigned bits that fit a signed multiplier block of an FPGA."""


class Pipeline(wiring.Component):
    """Hardware of a `PostProcessor`; ``values`` are those of the operands ``latency`` cycles before.

    ===============  ===  ======================================================================
    ``sums``         in   a row, to which partial sums are already added
    ``parameters_word``  in  `PostProcessor.parameter_layout`
    ``residual``     in   activations, one per column, a cycle after ``sums``; zero without a residual
    ``post``         in   settings, which must not change while rows are under way
    ``values``       out  activations
    ===============  ===  ======================================================================
    """

    def __init__(self, parameters: PostProcessor) -> None:
        self.parameters = p = parameters
        super().__init__(
            {
                "sums": In(data.ArrayLayout(signed(p.sum_bits), p.columns)),
                "parameters_word": In(p.parameter_layout),
                "residual": In(data.ArrayLayout(p.activation_shape, p.columns)),
                "post": In(POST_LAYOUT),
                "values": Out(data.ArrayLayout(p.activation_shape, p.columns)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for column in range(self.parameters.columns):
            self._column(m, column)
        return m

    def _column(self, m: Module, column: int) -> None:
        p, word, post = self.parameters, self.parameters_word, self.post

        def register(value: Value, name: str) -> Value:
            held = Signal(value.shape(), name=f"{name}_{column}", reset_less=True)
            m.d.sync += held.eq(value)
            return held

        multiplier = register(word.multipliers[column], "multiplier")
        biased = register(register(self.sums[column], "sum") + register(word.biases[column], "bias"), "biased")
        scaled = _scale(register, biased, register(multiplier, "late_multiplier"))
        other = register(register(self.residual[column], "residual") * post.residual_multiplier, "scaled_residual")
        total = register((scaled + register(other, "late_residual"))[: p.scaled_bits].as_signed(), "total")
        coarse = register(_shift_with_sticky(m, Cat(0, 0, total).as_signed(), post.shift, range(4)), "coarse")
        shifted = register(_shift_with_sticky(m, coarse, post.shift, range(4, 6)), "shifted")
        rounded = register(shifted[2:].as_signed() + (shifted[1] & (shifted[0] | shifted[2])), "rounded")
        clipped = Mux(rounded < post.low, post.low, Mux(rounded > post.high, post.high, rounded))
        m.d.comb += self.values[column].eq(register(clipped[: p.activation_shape.width], "value"))


def _scale(register: Callable[[Value, str], Value], value: Value, multiplier: Value) -> Value:
    """Return the product, two cycles later: a multiplier block for the low bits and the sign, one for the others."""
    split = min(len(value) - 1, BLOCK_BITS)
    low = register(value[:split] * multiplier, "low_product")
    high = register(value[split:].as_signed() * multiplier, "high_product")
    return register(low + (high << split), "scaled")


def _shift_with_sticky(m: Module, value: Value, shift: Value, bits: range) -> Value:
    """Return ``value`` shifted to the right by these bits of ``shift``; its last one is set if any is shifted out."""
    shifted = value
    for stage in bits:
        amount, bit = 1 << stage, shift[stage]
        dropped = shifted[: min(amount + 1, len(shifted))].any()
        moved = Signal(signed(len(shifted)), name="moved")
        m.d.comb += moved.eq(Mux(bit, Cat(dropped, (shifted >> amount)[1 : len(shifted)]).as_signed(), shifted))
        shifted = moved
    return shifted
