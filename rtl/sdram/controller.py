"""SDRAM controller: bursts of a `MemoryPort` on a chip that must be powered up and refreshed."""

from __future__ import annotations

import math
from typing import Annotated

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out
from pydantic import Field, model_validator

from hwsim.files import Frozen
from rtl.control.port import MemoryPort
from rtl.sdram.chip import BANK_BITS, DATA_BITS, PADS_NS, Order, Sdram, SdramPins

PRECHARGE_ALL = 1 << 10
"""Address bit of a precharge of every bank."""

REFRESHES = 8
"""Before the mode is set."""

HELD_WORDS = 8
"""Words that are on their way from the chip, or wait for the client: enough for one in every cycle of the chip."""


class SdramController(Frozen):
    """Serves a `MemoryPort` from a chip.

    A word of the port is a burst of the chip: commands follow each other without a gap, so a word takes as many cycles
    as it has 16 bits. A row is opened for a burst of the port and closed at its end, at the row's end, and when a
    refresh is due, which therefore waits for a word and the row's times at most.

    Attributes
    ----------
    chip
        Its size and times.
    clock_mhz
        Of the controller and the chip.
    bits
        Width of a word of the port.
    """

    chip: Sdram = Sdram()
    clock_mhz: Annotated[float, Field(ge=10, le=133)] = 50.0
    bits: Annotated[int, Field(ge=DATA_BITS, le=8 * DATA_BITS)] = 64

    @model_validator(mode="after")
    def _consistent(self) -> SdramController:
        if self.bits & (self.bits - 1):
            raise ValueError("bits must be a power of two")
        fastest = 750 / (self.chip.access_ns + PADS_NS)  # data come within three quarters of a cycle
        if self.clock_mhz > fastest:
            raise ValueError(f"clock_mhz must be at most {fastest:.1f} for the chip's access time")
        return self

    @property
    def beats(self) -> int:
        """Words of the chip in a word of the port."""
        return self.bits // DATA_BITS

    @property
    def words(self) -> int:
        """Words of the port that the chip holds."""
        return self.chip.bytes * 8 // self.bits

    @property
    def refresh_cycles(self) -> int:
        """Between two refreshes: one less than the chip needs, so that a wait now and then does not matter."""
        return math.ceil(self.chip.refresh_ms * 1e3 * self.clock_mhz / (1 << self.chip.row_bits)) - 1

    def cycles(self, ns: float) -> int:
        """Return the least number of cycles that take so long."""
        return math.ceil(ns * self.clock_mhz / 1e3)

    @property
    def read_latency(self) -> int:
        """From a request to its first word, if no refresh is due."""
        return self.cycles(self.chip.activate_ns) + self.chip.cas_latency + self.beats + 2

    @property
    def closing_cycles(self) -> int:
        """From when a row could take another read or write to its closing."""
        chip = self.chip
        return max(self.cycles(chip.write_ns) - 1, self.cycles(chip.open_ns) - self.cycles(chip.activate_ns), 1)

    def create(self) -> SdramControllerUnit:
        """Return the hardware."""
        return SdramControllerUnit(self)


class SdramControllerUnit(wiring.Component):
    """Hardware of a `SdramController`.

    ==========  ===  ==============================================================================================
    ``memory``  in   what it serves
    ``flush``   in   with which the client is reset: the burst under way ends, words that were read are dropped
    ``pins``    out  to the chip; registers on the way out and in are part of the timing (`rtl.boards.sdram`)
    ==========  ===  ==============================================================================================
    """

    def __init__(self, parameters: SdramController) -> None:
        self.parameters = p = parameters
        super().__init__({"memory": In(MemoryPort(p.bits)), "flush": In(1), "pins": Out(SdramPins(p.chip))})
        power_up = p.cycles(1e3 * p.chip.power_up_us)
        self.wait = Signal(range(power_up + 1), init=power_up)  # cycles to the next command
        self.masked = Signal(init=1)  # until the mode is set
        self.due = Signal()  # a refresh
        self.left, self.writing = Signal(9), Signal()  # words of the burst
        self.place = Signal(p.chip.address_bits - int(math.log2(p.beats)))  # the next word
        self.row_end = Signal()
        self.reads, self.writes = Signal(), Signal()  # commands of this cycle
        self.empty, self.room = Signal(), Signal()  # no word between chip and client; not too many
        self.drop = Signal()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._refresh_timer(m)
        self._read_data(m)
        self._write_data(m)
        m.d.comb += self.pins.mask.eq(self.masked)
        with m.If(self.wait != 0):
            m.d.sync += self.wait.eq(self.wait - 1)
        with m.Else():
            self._commands(m)
        with m.If(self.flush):
            m.d.sync += [self.drop.eq(1), self.left.eq(0)]
        return m

    def _refresh_timer(self, m: Module) -> None:
        period = self.parameters.refresh_cycles
        timer = Signal(range(period))
        m.d.sync += timer.eq(Mux(timer == 0, period - 1, timer - 1))
        with m.If(timer == 0):
            m.d.sync += self.due.eq(1)

    def _read_data(self, m: Module) -> None:
        """Put words together from what the pins bring, and hold them for the client."""
        p, read = self.parameters, self.memory.read
        m.submodules.held = held = SyncFIFO(width=p.bits, depth=HELD_WORDS)
        low, coming, inside = Signal(p.bits), Signal(p.chip.cas_latency + p.beats), Signal(range(HELD_WORDS + 1))
        word = Cat(low, self.pins.read_data)[DATA_BITS:]
        taken = held.r_rdy & held.r_en
        m.d.sync += [low.eq(word), coming.eq(Cat(self.reads, coming)), inside.eq(inside + self.reads - taken)]
        m.d.comb += [
            held.w_data.eq(word),
            held.w_en.eq(coming[-1]),
            held.r_en.eq(read.ready | self.drop),
            read.valid.eq(held.r_rdy & ~self.drop),
            read.payload.eq(held.r_data),
            self.empty.eq(inside == 0),
            self.room.eq(inside != HELD_WORDS),
        ]

    def _write_data(self, m: Module) -> None:
        """Give a word to the pins, the lowest 16 bits with the command."""
        p, write = self.parameters, self.memory.write
        rest, beats = Signal(p.bits), Signal(range(max(p.beats, 2)))
        m.d.comb += [
            self.pins.write_data.eq(Mux(self.writes, write.payload, rest)),
            self.pins.write_enable.eq(self.writes | (beats != 0)),
            write.ready.eq(self.writes),
        ]
        with m.If(self.writes):
            m.d.sync += [rest.eq(write.payload >> DATA_BITS), beats.eq(p.beats - 1)]
        with m.Elif(beats != 0):
            m.d.sync += [rest.eq(rest >> DATA_BITS), beats.eq(beats - 1)]

    def _commands(self, m: Module) -> None:
        p, chip = self.parameters, self.parameters.chip
        step = Signal(range(REFRESHES))
        row = self.place >> chip.column_bits + BANK_BITS - int(math.log2(p.beats))
        with m.FSM():
            with m.State("POWER"):
                self._order(m, Order.PRECHARGE, p.cycles(chip.precharge_ns), PRECHARGE_ALL)
                m.next = "REFRESH"
            with m.State("REFRESH"):
                self._order(m, Order.REFRESH, p.cycles(chip.refresh_ns))
                m.d.sync += step.eq(step + 1)
                with m.If(step == REFRESHES - 1):
                    m.next = "MODE"
            with m.State("MODE"):
                self._order(m, Order.MODE, chip.mode_cycles, chip.mode(p.beats))
                m.d.sync += self.masked.eq(0)
                m.next = "CLOSED"
            with m.State("CLOSED"):
                with m.If(self.due):
                    self._order(m, Order.REFRESH, p.cycles(chip.refresh_ns))
                    m.d.sync += self.due.eq(0)
                with m.Elif(self.left != 0):
                    self._order(m, Order.ACTIVATE, p.cycles(chip.activate_ns), row)
                    m.d.sync += self.row_end.eq(0)
                    m.next = "OPEN"
                with m.Else():
                    self._request(m)
            with m.State("OPEN"):
                with m.If((self.left == 0) | self.row_end | self.due):
                    m.d.sync += self.wait.eq(p.closing_cycles - 1)
                    m.next = "CLOSING"
                with m.Else():
                    self._transfer(m)
            with m.State("CLOSING"):
                self._order(m, Order.PRECHARGE, p.cycles(chip.precharge_ns), PRECHARGE_ALL)
                m.d.comb += self.memory.written.eq((self.left == 0) & self.writing & ~self.drop)
                m.next = "CLOSED"

    def _request(self, m: Module) -> None:
        """Take the next burst, if no word of an earlier one is on its way."""
        request, failed = self.memory.request, self.memory.failed
        address, count = Value.cast(request.payload.address), Value.cast(request.payload.count)
        with m.If(self.empty):
            m.d.sync += self.drop.eq(0)
            m.d.comb += request.ready.eq(~self.drop & ~self.flush)
        with m.If(request.valid & request.ready):
            m.d.sync += [self.place.eq(address), self.left.eq(count), self.writing.eq(request.payload.write)]
            m.d.comb += failed.eq(address + count > self.parameters.words)

    def _transfer(self, m: Module) -> None:
        """Read or write the next word of the open row."""
        p = self.parameters
        column = Cat(C(0, int(math.log2(p.beats))), self.place)[: p.chip.column_bits]
        with m.If(self.writing & self.memory.write.valid):
            self._order(m, Order.WRITE, p.beats, column)
            m.d.comb += self.writes.eq(1)
        with m.If(~self.writing & self.room):
            self._order(m, Order.READ, p.beats, column)
            m.d.comb += self.reads.eq(1)
        with m.If(self.writes | self.reads):
            last = column[int(math.log2(p.beats)) :].all()
            m.d.sync += [self.left.eq(self.left - 1), self.place.eq(self.place + 1), self.row_end.eq(last)]

    def _order(self, m: Module, order: Order, cycles: int, address: Value | int = 0) -> None:
        """Give a command to the chip, and let so many cycles pass to the next one."""
        p = self.parameters
        bank = self.place >> p.chip.column_bits - int(math.log2(p.beats))
        m.d.comb += [self.pins.order.eq(order), self.pins.address.eq(address), self.pins.bank.eq(bank)]
        m.d.sync += self.wait.eq(cycles - 1)
