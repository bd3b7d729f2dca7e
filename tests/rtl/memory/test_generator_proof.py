"""Proof, for every program and any backpressure: addresses are the nest's, and never leave the bank."""

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Assert, Cat, ClockDomain, Elaboratable, Module, Mux, Signal, Value
from amaranth.lib import data

from flows.verify import formal
from rtl.memory import AddressGenerator
from rtl.memory.generator import Generator
from rtl.memory.queue import Queue

SMALL = AddressGenerator(depth=3, loops=3, coordinates=1, count_bits=2, coordinate_bits=3)
"""Few bits, so that the proof takes seconds; a depth that is no power of two, so that sums can leave the bank."""


class Harness(Elaboratable):
    """A generator with a program and strides that are free at each start and then held."""

    def __init__(self, design, rewinds=True):
        self.clock = ClockDomain("sync", reset_less=True)
        self.design, self.rewinds = design, rewinds
        layout, loops = SMALL.program_layout, SMALL.loops
        self.program = Signal(layout.size, name="program")
        self.strides = Signal(SMALL.sum_shape.width * loops, name="strides")
        self.start, self.ready = Signal(name="start"), Signal(name="ready")

    def ports(self):
        return [self.clock.clk, self.program, self.strides, self.start, self.ready]

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = self.clock
        m.submodules.design = design = self.design
        begin = Signal()
        m.d.comb += [
            begin.eq(self.start & ~design.busy),
            design.start.eq(self.start),
            design.steps.ready.eq(self.ready),
        ]
        program, strides = (held_from(m, begin, free) for free in (self.program, self.strides))
        m.d.comb += Value.cast(design.program).eq(program)
        width, loops = SMALL.sum_shape.width, range(SMALL.loops)
        stride = [strides.word_select(loop, width) for loop in loops]
        last = [design.program.loops[loop].last for loop in loops]
        for loop in loops:
            rewind = sum(last[inner] * stride[inner] for inner in loops[loop + 1 :]) if self.rewinds else 0
            m.d.comb += Value.cast(design.program.loops[loop].address).eq((stride[loop] - rewind)[:width])
        expected = design.program.address + sum((end - left) * s for end, left, s in zip(last, design.left, stride, strict=True))
        m.submodules.expected = queue = Queue(width, places=2)
        m.d.comb += [
            queue.source.valid.eq(design.walks),
            queue.source.payload.eq(expected[:width]),
            queue.words.ready.eq(self.ready),
            Assert(queue.full == design.queue.full),
            Assert(~design.queue.full[1] | design.queue.full[0]),
        ]
        with m.If(design.walks):
            m.d.comb += Assert(design.address == expected[:width])
            m.d.comb += [Assert(left <= end) for left, end in zip(design.left, last, strict=True)]
            m.d.comb += Assert(design.ended == Cat(left == 0 for left in design.left))
            m.d.comb += Assert(design.carries == Cat(design.ended[loop + 1 :].all() for loop in loops))
        for place in range(2):
            step = data.View(SMALL.step_layout, design.queue.held[place])
            with m.If(design.queue.full[place] & step.inside):
                m.d.comb += [Assert(step.address < SMALL.depth), Assert(step.address == queue.held[place])]
        return m


def held_from(m, begin, free):
    """The free value in the cycle of ``begin``, and the same one until the next."""
    held = Signal.like(free)
    with m.If(begin):
        m.d.sync += held.eq(free)
    return Mux(begin, free, held)


class NoCheck(Generator):
    """A generator that believes its program."""

    def in_bank(self):
        return Value.cast(1)


def prove(harness, folder):
    return formal.run(rtlil.convert(harness, ports=harness.ports(), name="harness", emit_src=False), 1, folder)


def test_addresses_are_the_nests_and_in_the_bank(tmp_path):
    assert prove(Harness(SMALL.create()), tmp_path) == "k-induction, 1 steps"


@pytest.mark.parametrize("broken", [lambda: Harness(NoCheck(SMALL)), lambda: Harness(SMALL.create(), rewinds=False)])
def test_the_proof_fails_for_a_generator_that_is_broken(tmp_path, broken):
    with pytest.raises(formal.ProofError, match="assertion failed"):
        prove(broken(), tmp_path)
