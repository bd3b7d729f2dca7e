"""Proof, for any beats and any backpressure: no result is overwritten or dropped, and no beat waits for ever."""

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Assert, Cat, ClockDomain, Const, Elaboratable, Module, Mux, Signal, Value

from flows.verify import formal
from rtl.array import SystolicArray
from rtl.array.component import Array
from rtl.pe.adder import AdderPE

PE = AdderPE(bits=2, accumulator=3)
SQUARE = SystolicArray(rows=2, columns=2, pe=PE)
TALL = SystolicArray(rows=3, columns=1, pe=PE.model_copy(update={"stages": 1}), buffered_tiles=1)
WIDE = SystolicArray(rows=1, columns=3, pe=PE, buffered_tiles=3)


class Harness(Elaboratable):
    """An array with free inputs, and the age of every tile end under way (1: taken in the cycle before).

    The ages are the harness's own shift register; that a PE at distance ``d`` is done at age ``d + latency`` is part of
    what is proved, and so are the array's counters as functions of the ages.
    """

    def __init__(self, design):
        self.clock = ClockDomain("sync", reset_less=True)
        self.design, self.parameters = design, design.parameters
        self.payload = Signal(len(Value.cast(design.beats.payload)), name="payload")
        self.valid, self.ready = Signal(name="valid"), Signal(name="ready")

    def ports(self):
        return [self.clock.clk, self.payload, self.valid, self.ready]

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = self.clock
        m.submodules.design = design = self.design
        m.d.comb += [
            Value.cast(design.beats.payload).eq(self.payload), design.beats.valid.eq(self.valid),
            design.results.ready.eq(self.ready),
        ]  # fmt: skip
        ended = self.valid & design.beats.ready & design.beats.payload.last
        p = self.parameters
        captured = p.span + p.pe.latency  # age at which the farthest PE is done
        ages = Signal(captured + 1 + p.rows)  # bit i: age i + 1
        m.d.sync += ages.eq(Cat(ended, ages[:-1]))
        self.counters(m, ages, captured)
        self.results(m, ages)
        self.progress(m)
        return m

    def counters(self, m, ages, captured):
        """What the array counts follows from the ages."""
        p, design, gap, to_shift = self.parameters, self.design, Const(0), Const(0)
        for age in range(1, p.interval):
            gap = Mux(ages[age - 1], p.interval - age, gap)
        for shifted in range(p.rows):
            to_shift = Mux(ages[captured + shifted], p.rows - shifted, to_shift)
        under_way = sum(ages[:captured])
        rows = p.rows * under_way + design.rows_to_shift + design.buffer.level + design.row
        m.d.comb += [
            Assert(design.gap == gap),
            Assert(design.draining == (design.gap != 0)),
            Assert(design.full == (design.tiles_owed == p.buffered_tiles)),
            Assert(design.rows_to_shift == to_shift),
            Assert(design.tiles_owed * p.rows == rows),
            Assert(design.tiles_owed <= p.buffered_tiles),
            Assert(design.row < p.rows),
        ]
        for age in range(1, len(ages) - p.interval + 2):  # ends keep their distance
            m.d.comb += Assert(~(ages[age - 1] & ages[age : age + p.interval - 1].any()))

    def results(self, m, ages):
        """A PE is done when its drain register is free, and the buffer has room for what is shifted out."""
        p, design = self.parameters, self.design
        m.d.comb += Assert(~design.buffer.w_en | design.buffer.w_rdy)
        for row in range(p.rows):
            for column in range(p.columns):
                age = p.distance(row, column) + p.pe.latency
                done = design.pes[row][column].done
                older = ages[age : p.span + p.pe.latency].any()  # captured here and not yet shifted
                m.d.comb += Assert(done == ages[age - 1])
                m.d.comb += Assert(~done | (~older & (design.rows_to_shift <= row + 1)))

    def progress(self, m):
        """While the consumer takes every row, a beat on offer is refused for no more cycles than a tile takes to leave."""
        p = self.parameters
        refused = Signal(p.latency + p.rows)
        m.d.sync += refused.eq(Cat(self.valid & ~self.design.beats.ready & self.ready, refused[:-1]))
        m.d.comb += Assert(~refused.all())


def prove(design, folder):
    harness = Harness(design)
    steps = design.parameters.latency + design.parameters.rows + 2  # until the window of `progress` is full
    return formal.run(rtlil.convert(harness, ports=harness.ports(), name="harness", emit_src=False), steps, folder)


class Hasty(Array):
    """An array that takes the end of a tile a cycle too early."""

    def __init__(self, parameters):
        super().__init__(parameters)
        self.gap = Signal(range(parameters.interval - 1))


class Generous(Array):
    """An array that admits a tile more than its buffer holds."""

    def __init__(self, parameters):
        super().__init__(parameters)
        self.parameters = parameters.model_copy(update={"buffered_tiles": parameters.buffered_tiles + 1})


@pytest.mark.parametrize("array", [SQUARE, TALL, WIDE], ids=["2x2", "3x1", "1x3"])
def test_no_result_is_lost_and_no_beat_waits_for_ever(tmp_path, array):
    assert prove(array.create(), tmp_path).startswith("k-induction")


@pytest.mark.parametrize("broken", [Hasty, Generous])
def test_the_proof_fails_for_an_array_that_is_broken(tmp_path, broken):
    with pytest.raises(formal.ProofError, match="assertion failed"):
        prove(broken(SQUARE), tmp_path)
