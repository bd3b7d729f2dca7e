"""Banked scratchpad: each bank reads one word and writes one in every cycle."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from hwsim.files import Frozen

UNORDERED = {"no_rw_check": 1}
"""Tells synthesis not to spend logic on reads of what is written in the same cycle. Only Verilog conveys it."""

UNORDERED_PORTS = "setparam -set COLLISION_X_MASK 1'1 t:$memrd_v2 r:CLK_ENABLE=1 %i"
"""What tells yosys the same after it has read RTLIL."""

NO_ACCESS = -1
"""Address of a cycle in which the twin's port is not enabled."""


class Scratchpad(Frozen):
    """Memory of ``banks`` banks with a read port and a write port each, all independent.

    Ports of the hardware, beside ``clk`` and ``rst``; each is an array with an entry per bank:

    ==================================================  ===  =================================================
    ``read_enable``, ``read_address``                   in   start a read
    ``read_data``                                       out  the word, ``read_latency`` cycles after its read
                                                             started; it stays until the next one's
    ``write_enable``, ``write_address``, ``write_data``  in   the word is there from the next cycle on
    ==================================================  ===  =================================================

    A read sees what was there before a write of the same cycle, on an FPGA perhaps something else. Addresses must be
    below ``depth``; whoever makes them sees to that (`AddressGenerator` does). Contents start at zero and outlive a
    reset.

    Attributes
    ----------
    banks
        How many banks.
    depth
        Words of a bank.
    width
        Bits of a word.
    read_latency
        1: the memory's own register; more add registers behind it, for clock speed.
    """

    banks: Annotated[int, Field(ge=1, le=64)] = 8
    depth: Annotated[int, Field(ge=1, le=1 << 20)] = 1024
    width: Annotated[int, Field(ge=1, le=4096)] = 8
    read_latency: Annotated[int, Field(ge=1, le=4)] = 1

    @property
    def bits(self) -> int:
        """Capacity of all banks."""
        return self.banks * self.depth * self.width

    def create(self) -> Banks:
        """Return the hardware."""
        return Banks(self)

    def compute(
        self, read_address: ArrayLike, write_address: ArrayLike, write_data: ArrayLike, contents: ArrayLike | int = 0
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return ``read_data`` in each cycle, of shape ``(cycles, banks)``, and the contents afterwards.

        Parameters
        ----------
        read_address, write_address
            Integers of shape ``(cycles, banks)``; `NO_ACCESS` where the port is not enabled.
        write_data
            Integers of the same shape.
        contents
            What the banks hold at first, of shape ``(banks, depth)``.
        """
        reads, writes, words = (np.asarray(column, np.int64) for column in (read_address, write_address, write_data))
        held = np.broadcast_to(np.asarray(contents, np.int64), (self.banks, self.depth)).copy()
        port = np.zeros((len(reads) + self.read_latency, self.banks), np.int64)
        bank = np.arange(self.banks)
        for cycle, (read, write) in enumerate(zip(reads, writes, strict=True)):
            arrives = cycle + self.read_latency
            port[arrives] = np.where(read == NO_ACCESS, port[arrives - 1], held[bank, read])
            stored = write != NO_ACCESS
            held[bank[stored], write[stored]] = words[cycle, stored]
        return port[: len(reads)], held


class Banks(wiring.Component):
    """Hardware of a `Scratchpad`."""

    def __init__(self, parameters: Scratchpad) -> None:
        self.parameters = parameters
        address, word, banks = range(parameters.depth), unsigned(parameters.width), parameters.banks
        super().__init__(
            {
                "read_enable": In(1).array(banks),
                "read_address": In(address).array(banks),
                "read_data": Out(word).array(banks),
                "write_enable": In(1).array(banks),
                "write_address": In(address).array(banks),
                "write_data": In(word).array(banks),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p = self.parameters
        for bank in range(p.banks):
            memory = Memory(shape=unsigned(p.width), depth=p.depth, init=[], attrs=UNORDERED)
            m.submodules[f"bank_{bank}"] = memory
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                read.en.eq(self.read_enable[bank]),
                read.addr.eq(self.read_address[bank]),
                write.en.eq(self.write_enable[bank]),
                write.addr.eq(self.write_address[bank]),
                write.data.eq(self.write_data[bank]),
            ]
            word = read.data
            for stage in range(1, p.read_latency):
                late = Signal(p.width, name=f"bank_{bank}_stage_{stage}", reset_less=True)
                m.d.sync += late.eq(word)
                word = late
            m.d.comb += self.read_data[bank].eq(word)
        return m
