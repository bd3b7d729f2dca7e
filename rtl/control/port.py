"""The port to the external memory: bursts of words, one at a time; and the arbiter that shares it."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

REQUEST = data.StructLayout({"address": 32, "count": 9, "write": 1})
"""A burst: first word, how many words, and the direction."""


class MemoryPort(wiring.Signature):
    """What a client of the external memory has: a request, then as many words as it asked for.

    ===========  ===  =============================================================================
    ``request``  out  stream of `REQUEST`; the next one only when all words of this one have passed
    ``read``     in   stream of words of a read burst
    ``write``    out  stream of words of a write burst
    ``written``  in   for a cycle: a write burst is in the memory
    ``failed``   in   for a cycle: the memory answered with an error
    ===========  ===  =============================================================================
    """

    def __init__(self, bits: int) -> None:
        self.bits = bits
        super().__init__(
            {
                "request": Out(stream.Signature(REQUEST)),
                "read": In(stream.Signature(bits)),
                "write": Out(stream.Signature(bits)),
                "written": In(1),
                "failed": In(1),
            }
        )


class Arbiter(wiring.Component):
    """Shares a port between two clients, burst by burst; ``first`` goes before ``second``."""

    def __init__(self, bits: int) -> None:
        super().__init__(
            {
                "first": In(MemoryPort(bits)),
                "second": In(MemoryPort(bits)),
                "memory": Out(MemoryPort(bits)),
                "moves": Out(1),
            }
        )
        self.left = Signal(9)  # words of the burst
        self.open = Signal()  # whether there are any: a register, for the clock

    def elaborate(self, platform: object) -> Module:
        m = Module()
        memory, first, second = self.memory, self.first, self.second
        left, owner, chosen = self.left, Signal(), Signal()  # the owner's number is 1 if it is the second client
        writing, free = Signal(), Signal()
        m.d.comb += [
            free.eq(~self.open & ~writing),
            chosen.eq(~first.request.valid),
            memory.request.valid.eq(free & (first.request.valid | second.request.valid)),
            memory.request.payload.eq(Mux(chosen, second.request.payload.as_value(), first.request.payload.as_value())),
            first.request.ready.eq(free & memory.request.ready & ~chosen),
            second.request.ready.eq(free & memory.request.ready & chosen),
            memory.read.ready.eq(Mux(owner, second.read.ready, first.read.ready) & self.open & ~writing),
            memory.write.valid.eq(Mux(owner, second.write.valid, first.write.valid) & self.open & writing),
            memory.write.payload.eq(Mux(owner, second.write.payload, first.write.payload)),
        ]
        for client, own in ((first, ~owner), (second, owner)):
            m.d.comb += [
                client.read.valid.eq(memory.read.valid & own & self.open),
                client.read.payload.eq(memory.read.payload),
                client.write.ready.eq(memory.write.ready & own & self.open & writing),
                client.written.eq(memory.written & own),
                client.failed.eq(memory.failed),
            ]
        passed = (memory.read.valid & memory.read.ready) | (memory.write.valid & memory.write.ready)
        m.d.comb += self.moves.eq(passed | memory.written)
        with m.If(memory.request.valid & memory.request.ready):
            m.d.sync += [
                owner.eq(chosen),
                left.eq(memory.request.payload.count),
                self.open.eq(memory.request.payload.count != 0),
                writing.eq(memory.request.payload.write),
            ]
        with m.Elif(passed):
            m.d.sync += [left.eq(left - 1), self.open.eq(left != 1)]
        with m.If(memory.written):
            m.d.sync += writing.eq(0)
        return m
