"""Registers through which a host runs programs, on a plain word bus; what AXI4-Lite and the UART bridge share."""

from __future__ import annotations

from typing import Annotated, Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from pydantic import Field

from hwsim.files import Frozen
from rtl.control.core import COUNTER_BITS, COUNTERS, Core
from rtl.control.execution import Error

CONTROL, STATUS, PROGRAM, INTERRUPT_ENABLE, INTERRUPT_PENDING, FIRST_COUNTER = 0, 1, 2, 3, 4, 8
"""Addresses, in words of 32 bits. Control: bit 0 starts, bit 1 resets the accelerator. Status: bit 0 running, bits 4 to
7 the error, bits 16 to 31 the number of the command. Interrupt: bit 0, set at a program's end, cleared by writing 1."""


class Registers(Frozen):
    """``bits``: width of a word address."""

    bits: Annotated[int, Field(ge=5, le=30)] = 6

    def create(self) -> RegisterFile:
        """Return the hardware."""
        return RegisterFile(self)


class RegisterFile(wiring.Component):
    """Hardware of `Registers`.

    =======================================  ===  ===============================================================
    ``write``, ``address``, ``write_data``   in   write a register in this cycle
    ``read_data``                            out  the register at ``address``; unknown ones are zero
    ``start``, ``reset``                     out  for a cycle, to the accelerator
    ``entry``                                out  where its program is
    ``running``, ``done``, ``error``, ...    in   from the accelerator
    ``interrupt``                            out  pending and enabled
    =======================================  ===  ===============================================================
    """

    def __init__(self, parameters: Registers) -> None:
        super().__init__(
            {
                "write": In(1),
                "address": In(parameters.bits),
                "write_data": In(32),
                "read_data": Out(32),
                "start": Out(1),
                "reset": Out(1),
                "entry": Out(32),
                "running": In(1),
                "done": In(1),
                "error": In(Error),
                "index": In(16),
                "counters": In(data.StructLayout(dict.fromkeys(COUNTERS, COUNTER_BITS))),
                "interrupt": Out(1),
            }
        )

    def around(self, core: Core) -> list[Any]:
        """Return what connects the registers with the core that they start and watch."""
        watched = ("running", "done", "error", "index", "counters")
        return [
            core.start.eq(self.start),
            core.entry.eq(self.entry),
            *(getattr(self, name).eq(getattr(core, name)) for name in watched),
        ]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        enable, pending = Signal(), Signal()
        m.d.comb += self.interrupt.eq(enable & pending)
        m.d.sync += [self.start.eq(0), self.reset.eq(0)]
        with m.Switch(self.address):
            with m.Case(CONTROL), m.If(self.write):
                m.d.sync += Cat(self.start, self.reset).eq(self.write_data)
            with m.Case(STATUS):
                status = (self.index << 16) | (Value.cast(self.error) << 4) | self.running
                m.d.comb += self.read_data.eq(status)
            with m.Case(PROGRAM):
                m.d.comb += self.read_data.eq(self.entry)
                with m.If(self.write):
                    m.d.sync += self.entry.eq(self.write_data)
            with m.Case(INTERRUPT_ENABLE):
                m.d.comb += self.read_data.eq(enable)
                with m.If(self.write):
                    m.d.sync += enable.eq(self.write_data[0])
            with m.Case(INTERRUPT_PENDING):
                m.d.comb += self.read_data.eq(pending)
                with m.If(self.write & self.write_data[0]):
                    m.d.sync += pending.eq(0)
            for place, name in enumerate(COUNTERS):
                with m.Case(FIRST_COUNTER + place):
                    m.d.comb += self.read_data.eq(self.counters[name])
        with m.If(self.done):
            m.d.sync += pending.eq(1)
        return m
