"""Mover: words between the external memory and the scratchpads."""

from __future__ import annotations

from typing import Annotated

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from pydantic import Field

from hwsim.files import Frozen
from rtl.control.command import ADDRESS_BITS
from rtl.control.port import MemoryPort


class Mover(Frozen):
    """Loads words into one of several scratchpads, or stores a stream of words, in bursts.

    A word of a scratchpad is so many whole words of the external memory, the lowest bits in the first.

    Attributes
    ----------
    memory_bits
        Width of the external memory.
    burst
        Most words of it in a burst.
    widths
        Width of a word of each target; stored words are as wide as those of target 0.
    """

    memory_bits: Annotated[int, Field(ge=8, le=512)] = 64
    burst: Annotated[int, Field(ge=1, le=256)] = 64
    widths: tuple[int, ...]

    def parts(self, target: int) -> int:
        """Return the words of external memory per word of a target."""
        return -(-self.widths[target] // self.memory_bits)

    def create(self) -> MoverUnit:
        """Return the hardware."""
        return MoverUnit(self)


class MoverUnit(wiring.Component):
    """Hardware of a `Mover`.

    ===========================  ===  =====================================================================
    ``start``, ``store``         in   begin a load or a store, unless busy
    ``target``, ``address``      in   of a load
    ``count``, ``external``      in   words of the target, or to be stored; address in the external memory
    ``words``                    in   stream of the words to be stored
    ``write``, ``write_address`` out  per target: write; where
    ``write_data``               out  per target, in its own width, at the bottom
    ``busy``                     out  not done
    ``memory``                   out  port to the external memory
    ===========================  ===  =====================================================================
    """

    def __init__(self, parameters: Mover) -> None:
        self.parameters = p = parameters
        word = data.StructLayout({"data": p.widths[0], "first": 1, "last": 1, "inside": 1})
        super().__init__(
            {
                "start": In(1),
                "store": In(1),
                "target": In(2),
                "address": In(ADDRESS_BITS),
                "count": In(ADDRESS_BITS),
                "external": In(32),
                "words": In(stream.Signature(word)),
                "write": Out(len(p.widths)),
                "write_address": Out(ADDRESS_BITS),
                "write_data": Out(max(p.widths)).array(len(p.widths)),
                "busy": Out(1),
                "memory": Out(MemoryPort(p.memory_bits)),
            }
        )
        self.most_parts = max(p.parts(target) for target in range(len(p.widths)))
        self.last_part = Signal(range(self.most_parts))
        self.part = Signal(range(self.most_parts))
        self.filled = Signal()  # a part to be stored is held
        self.held = Signal(self.most_parts * p.memory_bits, reset_less=True)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p, memory = self.parameters, self.memory
        left, size, in_burst = Signal(ADDRESS_BITS + 6), Signal(9), Signal(9)
        external, storing = Signal(32), Signal()
        m.d.comb += [
            size.eq(Mux(left > p.burst, p.burst, left)),
            self.busy.eq(1),
            memory.request.payload.address.eq(external),
            memory.request.payload.count.eq(size),
            memory.request.payload.write.eq(storing),
        ]
        passed = (memory.read.valid & memory.read.ready) | (memory.write.valid & memory.write.ready)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.busy.eq(0)
                with m.If(self.start):
                    m.d.sync += [storing.eq(self.store), external.eq(self.external), self.part.eq(0)]
                    with m.Switch(self.target):
                        for target in range(len(p.widths)):
                            with m.Case(target):
                                parts = p.parts(target)
                                m.d.sync += [left.eq(self.count * parts), self.last_part.eq(parts - 1)]
                    m.next = "REQUEST"
            with m.State("REQUEST"):
                m.d.comb += memory.request.valid.eq(1)
                with m.If(memory.request.ready):
                    m.d.sync += [left.eq(left - size), in_burst.eq(size), external.eq(external + size)]
                    m.next = "DATA"
            with m.State("DATA"):
                m.d.comb += [memory.read.ready.eq(~storing), memory.write.valid.eq(storing & self.filled)]
                with m.If(passed):
                    m.d.sync += in_burst.eq(in_burst - 1)
                    with m.If((in_burst == 1) & storing):
                        m.next = "WRITTEN"
                    with m.Elif((in_burst == 1) & (left != 0)):
                        m.next = "REQUEST"
                    with m.Elif(in_burst == 1):
                        m.next = "IDLE"
            with m.State("WRITTEN"):
                with m.If(memory.written & (left != 0)):
                    m.next = "REQUEST"
                with m.Elif(memory.written):
                    m.next = "IDLE"
        self._load(m)
        self._store(m, storing)
        return m

    def _load(self, m: Module) -> None:
        """Assemble words and write each in the cycle after its last part came."""
        p, target = self.parameters, Signal(2)
        arrives = self.memory.read.valid & self.memory.read.ready
        complete = arrives & (self.part == self.last_part)
        with m.If(arrives):
            m.d.sync += self.part.eq(Mux(complete, 0, self.part + 1))
            m.d.sync += self.held.eq(Cat(self.held, self.memory.read.payload)[p.memory_bits :])
        writes = Signal()
        m.d.sync += writes.eq(complete)
        with m.If(self.start & ~self.busy):
            m.d.sync += [target.eq(self.target), self.write_address.eq(self.address)]
        with m.Elif(writes):
            m.d.sync += self.write_address.eq(self.write_address + 1)
        for index in range(len(p.widths)):
            unused = (self.most_parts - p.parts(index)) * p.memory_bits
            m.d.comb += [
                self.write[index].eq(writes & (target == index)),
                self.write_data[index].eq(self.held[unused:][: p.widths[index]]),
            ]

    def _store(self, m: Module, storing: Signal) -> None:
        """Give the parts of a word one by one; the next word follows the last part at once."""
        memory, filled = self.memory, self.filled
        given, last = memory.write.valid & memory.write.ready, self.part == self.last_part
        m.d.comb += [
            memory.write.payload.eq(self.held),
            self.words.ready.eq(storing & self.busy & (~filled | (given & last))),
        ]
        with m.If(self.words.valid & self.words.ready):
            m.d.sync += [self.held.eq(self.words.payload.data), filled.eq(1), self.part.eq(0)]
        with m.Elif(given):
            m.d.sync += [
                self.held.eq(self.held >> self.parameters.memory_bits),
                self.part.eq(self.part + 1),
                filled.eq(~last),
            ]
