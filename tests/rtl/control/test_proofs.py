"""Proofs, for any inputs: no program hangs, a burst has the words it asked for, and what is offered stays on offer."""

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Assert, Assume, ClockDomain, Elaboratable, Module, Mux, Signal, Value
from amaranth.lib.wiring import In

from flows.verify import formal
from rtl.array import SystolicArray
from rtl.array.feeder import Feeder
from rtl.control.port import Arbiter
from rtl.control.sequencer import Sequencer, SequencerUnit
from rtl.pe.adder import AdderPE

PATIENCE = 3


class Harness(Elaboratable):
    """A component whose inputs are free, and what must hold."""

    def __init__(self, design, *properties):
        self.clock = ClockDomain("sync", reset_less=True)
        self.design, self.properties = design, properties
        self.inputs = [
            (Value.cast(port), Signal(len(Value.cast(port)), name="_".join(map(str, path))))
            for path, member, port in design.signature.flatten(design)
            if member.flow == In
        ]

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = self.clock
        m.submodules.design = self.design
        m.d.comb += [port.eq(source) for port, source in self.inputs]
        for holds in self.properties:
            holds(m, self.design)
        return m


def prove(design, steps, folder, *properties):
    harness = Harness(design, *properties)
    ports = [harness.clock.clk, *(source for _, source in harness.inputs)]
    return formal.run(rtlil.convert(harness, ports=ports, name="harness", emit_src=False), steps, folder)


def before(m, signal, name):
    """The value in the cycle before; zero in the first."""
    held = Signal.like(Value.cast(signal), name=name)
    m.d.sync += held.eq(signal)
    return held


def stays(stream, name):
    """Whether what was on offer still is: the contract of a stream."""

    def holds(m):
        waits = before(m, stream.valid & ~stream.ready, f"{name}_waits")
        same = Value.cast(stream.payload) == before(m, Value.cast(stream.payload), f"{name}_was")
        return ~waits | (stream.valid & same)

    return holds


def ends(m, design):
    """A running program in which nothing happens ends after the patience."""
    quiet = design.running & ~design.moved & ~design.work & ~design.move
    silent = Signal(range(PATIENCE + 4))
    m.d.sync += silent.eq(Mux(quiet, silent + 1, 0))
    m.d.comb += Assert(silent <= PATIENCE + 1)


def whole_bursts(m, design):
    """Between two requests, as many words pass as the first one asked for."""
    memory, owed = design.memory, Signal(9)
    asked = memory.request.valid & memory.request.ready
    passed = (memory.read.valid & memory.read.ready) | (memory.write.valid & memory.write.ready)
    m.d.sync += owed.eq(Mux(asked, memory.request.payload.count, owed - passed))
    m.d.comb += [
        Assert(owed == design.left),
        Assert(design.open == (owed != 0)),
        Assert(~asked | (owed == 0)),
        Assert(~passed | (owed != 0)),
    ]
    given = [client.read.valid & client.read.ready for client in (design.first, design.second)]
    m.d.comb += Assert(~(given[0] & given[1]))


def offers_stay(m, design):
    """A beat on offer stays the same until it is taken, if the weights do."""
    settings = (design.common, design.elements, design.last_word, design.lane_first, design.lane_last)
    for index, setting in enumerate(settings):
        m.d.comb += Assume(setting == before(m, setting, f"setting_{index}"))
    m.d.comb += Assume(stays(design.weights, "weights")(m))
    m.d.comb += Assert(stays(design.beats, "beats")(m))


def knows_its_lane(m, design):
    """What is told in registers about the lane is so."""
    below, position = (1 << design.elements) - 1, design.position
    last = Mux(position.ends, design.lane_last, design.parameters.lanes - 1)
    early = position.starts & (design.lane < design.lane_first)
    m.d.comb += Assert(design.offers == (design.playing & ~early))
    with m.If(design.playing):
        m.d.comb += Assert(design.final == ((design.lane | below) == last))
        m.d.comb += Assert(design.ends == (design.final & position.last))


def no_wait_for_ever(m, design):
    """With words and weights on offer and beats taken, a word is refused for no longer than a word is played."""
    refused = Signal(range(16))
    waits = design.words.valid & ~design.words.ready & design.weights.valid & design.beats.ready
    m.d.sync += refused.eq(Mux(waits, refused + 1, 0))
    m.d.comb += [Assume(design.lane_first <= design.lane_last), Assert(refused < design.parameters.lanes)]


FEEDER = Feeder(array=SystolicArray(rows=2, columns=1, pe=AdderPE(bits=2, accumulator=3)), lanes=4, lane_bits=2)
SEQUENCER = Sequencer(memory_bits=512, depths=(5, 6, 7)).model_copy(update={"patience": PATIENCE})


class Deaf(SequencerUnit):
    """A sequencer that never loses its patience."""

    def _watch(self, m):
        return super()._watch(m) & 0


def test_no_program_hangs(tmp_path):
    assert prove(SEQUENCER.create(), PATIENCE + 4, tmp_path, ends).startswith("k-induction")


def test_the_proof_fails_without_patience(tmp_path):
    with pytest.raises(formal.ProofError, match="assertion failed"):
        prove(Deaf(SEQUENCER), PATIENCE + 4, tmp_path, ends)


def test_bursts_are_whole(tmp_path):
    assert prove(Arbiter(8), 3, tmp_path, whole_bursts).startswith("k-induction")


def test_a_feeder_keeps_the_contract_of_streams(tmp_path):
    assert prove(FEEDER.create(), 8, tmp_path, offers_stay, knows_its_lane).startswith("k-induction")


def test_a_feeder_takes_words_for_ever(tmp_path):
    assert prove(FEEDER.create(), 5, tmp_path, offers_stay, knows_its_lane, no_wait_for_ever).startswith("k-induction")
