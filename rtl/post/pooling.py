"""Hardware of the pooling unit."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.post.pool import Pool


class PoolUnit(wiring.Component):
    """Hardware of a `Pool`: a word per cycle, and a result's slices while the next window is reduced.

    ===========  ===  =======================================================================
    ``words``    in   stream of words as a `BankReader` gives them; a window's ends marked
    ``maximum``  in   or else the sum
    ``rows``     out  stream of results, a slice of columns each
    ``busy``     out  a result waits
    ===========  ===  =======================================================================
    """

    def __init__(self, parameters: Pool) -> None:
        self.parameters = p = parameters
        word = data.StructLayout({"data": p.lanes * p.activation_shape.width, "first": 1, "last": 1, "inside": 1})
        super().__init__(
            {
                "words": In(stream.Signature(word)),
                "maximum": In(1),
                "rows": Out(stream.Signature(data.ArrayLayout(signed(p.sum_bits), p.columns))),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p = self.parameters
        result = Signal(p.lanes * p.sum_bits, reset_less=True)
        index, left = Signal(range(p.slices)), Signal()
        taken = self.words.valid & self.words.ready
        reduced = self._reduce(m, taken)
        m.d.comb += [
            left.eq(self.rows.valid & self.rows.ready & (index == p.slices - 1)),
            self.words.ready.eq(~(self.words.payload.last & self.busy & ~left)),
            self.rows.valid.eq(self.busy),
            Value.cast(self.rows.payload).eq(result),
        ]
        with m.If(self.rows.valid & self.rows.ready):
            m.d.sync += [result.eq(result >> p.columns * p.sum_bits), index.eq(Mux(left, 0, index + 1))]
        with m.If(taken & self.words.payload.last):
            m.d.sync += [result.eq(reduced), self.busy.eq(1)]
        with m.Elif(left):
            m.d.sync += self.busy.eq(0)
        return m

    def _reduce(self, m: Module, taken: Value) -> Value:
        """The window so far, with the word on offer."""
        p, word, lanes = self.parameters, self.words.payload, []
        bits = p.activation_shape.width + 1  # a maximum is an activation, of either sign
        for lane in range(p.lanes):
            held = Signal(signed(p.sum_bits), name=f"held_{lane}", reset_less=True)
            value, total = Signal(signed(p.sum_bits), name=f"value_{lane}"), Signal.like(held, name=f"total_{lane}")
            code = word.data.word_select(lane, p.activation_shape.width)
            own = code.as_signed() if p.activation_shape.signed else code
            larger = Mux(value[:bits].as_signed() > held[:bits].as_signed(), value, held)
            m.d.comb += [
                value.eq(Mux(word.inside, own, Mux(self.maximum, p.least, 0))),
                total.eq(Mux(word.first, value, Mux(self.maximum, larger, held + value))),
            ]
            with m.If(taken):
                m.d.sync += held.eq(total)
            lanes.append(total)
        return Cat(lanes)
