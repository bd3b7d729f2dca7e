"""Memory of wide words: one port reads, the other reads or writes single lanes."""

from __future__ import annotations

from typing import Annotated

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from pydantic import Field

from hwsim.files import Frozen
from rtl.memory.scratchpad import UNORDERED


class LaneMemory(Frozen):
    """A true dual-port memory of ``depth`` words of ``lanes`` lanes.

    Ports of the hardware, beside ``clk`` and ``rst``:

    ====================================  ===  ===============================================================
    ``read_enable``, ``read_address``     in   port A: start a read
    ``read_data``                         out  the word, in the next cycle and until the next one's
    ``enable``, ``write``, ``address``    in   port B: in the next cycle, start a read, or write the lanes of
                                               ``write``
    ``write_data``                        in   of port B
    ``data``                              out  of port B's reads, two cycles later; after a write, what was there
                                               before
    ====================================  ===  ===============================================================

    Port B has registers in front, for the clock: an FPGA spreads a large memory over many blocks, far from each other.

    A read sees what was there before a write of the same cycle, on an FPGA perhaps something else. Contents start at
    zero and outlive a reset.
    """

    depth: Annotated[int, Field(ge=1, le=1 << 20)] = 1024
    lanes: Annotated[int, Field(ge=1, le=256)] = 8
    lane_bits: Annotated[int, Field(ge=1, le=64)] = 8

    @property
    def width(self) -> int:
        """Bits of a word."""
        return self.lanes * self.lane_bits

    def create(self) -> DualPort:
        """Return the hardware."""
        return DualPort(self)


class DualPort(wiring.Component):
    """Hardware of a `LaneMemory`."""

    def __init__(self, parameters: LaneMemory) -> None:
        self.parameters = parameters
        address, word = range(parameters.depth), unsigned(parameters.width)
        super().__init__(
            {
                "read_enable": In(1),
                "read_address": In(address),
                "read_data": Out(word),
                "enable": In(1),
                "write": In(parameters.lanes),
                "address": In(address),
                "write_data": In(word),
                "data": Out(word),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p = self.parameters
        m.submodules.memory = memory = Memory(shape=unsigned(p.width), depth=p.depth, init=[], attrs=UNORDERED)
        write = memory.write_port(granularity=p.lane_bits)
        read, other = memory.read_port(), memory.read_port()
        writes = Signal(p.lanes)
        m.d.sync += [
            other.en.eq(self.enable),  # also when it writes: then both are one port to synthesis
            other.addr.eq(self.address),
            writes.eq(self.write),
            write.data.eq(self.write_data),
        ]
        m.d.comb += [
            read.en.eq(self.read_enable),
            read.addr.eq(self.read_address),
            self.read_data.eq(read.data),
            write.en.eq(writes & other.en.replicate(p.lanes)),
            write.addr.eq(other.addr),
            self.data.eq(other.data),
        ]
        return m
