"""The accelerator on a board without a processor: it has a store of its own, a host reaches it over a serial line.

A host sends 7 bytes: a code, the address of a word (4 bytes, the lowest first) and how many words follow (2 bytes).
Code 0 reads memory, 1 writes it; 2 reads `rtl.control.registers`, 3 writes them. Words are as wide as the memory's;
of a register's, the lowest 32 bits count. What is read comes back; what is written follows the 7 bytes and is
acknowledged by one byte, `ACKNOWLEDGE`. While a program runs, only registers may be used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect
from pydantic import Field

from hwsim.files import Frozen
from rtl.control.port import MemoryPort
from rtl.control.registers import Registers
from rtl.control.uart import Uart

if TYPE_CHECKING:
    from rtl.accelerator import Accelerator

ACKNOWLEDGE = 6
HEADER_BYTES = 7


def store_ports(bits: int, words: int) -> dict[str, wiring.Member]:
    """Ports of a store: memory that serves the accelerator's bursts and, between them, a host's words.

    ==========================  ===  =============================================================================
    ``memory``                  in   the accelerator's port
    ``flush``                   in   the accelerator is reset: forget its burst
    ``address``, ``write_data`` in   of the host's word
    ``read``, ``write``         in   what to do with it, until ``ready``
    ``ready``                   out  it is done
    ``data``                    out  what was read, from the next cycle on
    ==========================  ===  =============================================================================
    """
    return {
        "memory": In(MemoryPort(bits)), "flush": In(1), "address": In(range(words)), "read": In(1), "write": In(1),
        "write_data": In(bits), "ready": Out(1), "data": Out(bits),
    }  # fmt: skip


class LocalMemory(Frozen):
    """Block memory as a store (`store_ports`).

    A burst's first word comes two cycles after its request, the next ones follow in every cycle; a write is done two
    cycles after its last word.
    """

    bits: Annotated[int, Field(ge=8, le=512)] = 64
    words: Annotated[int, Field(ge=2, le=1 << 24)] = 4096

    def create(self, content: Sequence[int] = ()) -> LocalMemoryUnit:
        """Return the hardware; its words are those of ``content`` at first, then zeros."""
        return LocalMemoryUnit(self, content)


class LocalMemoryUnit(wiring.Component):
    """Hardware of a `LocalMemory`; a word of the host takes one cycle."""

    def __init__(self, parameters: LocalMemory, content: Sequence[int] = ()) -> None:
        self.parameters, self.content = parameters, content
        super().__init__(store_ports(parameters.bits, parameters.words))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p, port = self.parameters, self.memory
        m.submodules.memory = memory = Memory(shape=unsigned(p.bits), depth=p.words, init=self.content)
        write, read = memory.write_port(), memory.read_port()
        address, left, writing, late = Signal(32), Signal(9), Signal(), Signal(2)
        busy, reads, writes = Signal(), Signal(), Signal()
        request = port.request.payload
        end = Signal(33)
        m.d.comb += [
            end.eq(request.address + request.count),
            busy.eq((left != 0) | port.read.valid | writing),
            port.request.ready.eq(~busy),
            reads.eq((left != 0) & ~writing & (~port.read.valid | port.read.ready)),
            port.write.ready.eq((left != 0) & writing),
            writes.eq(port.write.valid & port.write.ready),
            read.addr.eq(Mux(busy, address, self.address)),
            read.en.eq(reads | ~busy),
            write.addr.eq(Mux(busy, address, self.address)),
            write.data.eq(Mux(busy, port.write.payload, self.write_data)),
            write.en.eq(Mux(busy, writes, self.write)),
            port.read.payload.eq(read.data),
            port.written.eq(late[1]),
            self.data.eq(read.data),
            self.ready.eq(1),
        ]
        m.d.sync += [
            port.read.valid.eq(reads | (port.read.valid & ~port.read.ready)),
            port.failed.eq(port.request.valid & port.request.ready & (end > p.words)),
            late.eq(Cat(writes & (left == 1), late[0])),
        ]
        with m.If(port.request.valid & port.request.ready):
            m.d.sync += [address.eq(request.address), left.eq(request.count), writing.eq(request.write)]
        with m.Elif(reads | writes):
            m.d.sync += [address.eq(address + 1), left.eq(left - 1)]
        with m.Elif(port.written):
            m.d.sync += writing.eq(0)
        with m.If(self.flush):
            m.d.sync += [left.eq(0), writing.eq(0), port.read.valid.eq(0), late.eq(0)]
        return m


class SerialAccelerator(wiring.Component):
    """An accelerator with a store of its own (`store_ports`) and a serial line to a host."""

    def __init__(self, parameters: Accelerator, store: wiring.Component, divisor: int = 25) -> None:
        self.parameters, self.store, self.uart = parameters, store, Uart(divisor=divisor)
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "interrupt": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        core, store = self.parameters.create(), self.store
        m.submodules.registers, m.submodules.uart = registers, uart = (
            Registers(bits=30).create(), self.uart.create(),
        )  # fmt: skip
        m.submodules.core = ResetInserter(registers.reset)(core)
        m.submodules.store = store
        connect(m, core.memory, store.memory)
        m.d.comb += [
            store.flush.eq(registers.reset),
            uart.rx.eq(self.rx),
            self.tx.eq(uart.tx),
            *registers.around(core),
            self.interrupt.eq(registers.interrupt),
        ]
        self._serve(m, registers, uart)
        return m

    def _serve(self, m: Module, registers: wiring.Component, uart: wiring.Component) -> None:
        """Do what the bytes say."""
        store, size = self.store, max(self.parameters.memory_bits, 32) // 8
        header, word = Signal(8 * HEADER_BYTES), Signal(8 * size)
        code, address, count = header[0], Signal(32), Signal(16)
        place, of_registers = Signal(range(max(size, HEADER_BYTES))), header[1]
        got, reads, writes = uart.received.valid, Signal(), Signal()
        last, done = place == size - 1, store.ready | of_registers
        m.d.comb += [
            store.address.eq(address),
            registers.address.eq(address),
            store.write_data.eq(word),
            registers.write_data.eq(word),
            store.read.eq(reads & ~of_registers),
            store.write.eq(writes & ~of_registers),
            registers.write.eq(writes & of_registers),
        ]
        with m.FSM():
            with m.State("HEADER"), m.If(got):
                m.d.sync += [header.eq(Cat(header[8:], uart.received.payload)), place.eq(place + 1)]
                with m.If(place == HEADER_BYTES - 1):
                    m.d.sync += place.eq(0)
                    m.next = "BEGIN"
            with m.State("BEGIN"):
                m.d.sync += [address.eq(header[8:40]), count.eq(header[40:])]
                with m.If(code):
                    m.next = "RECEIVE"
                with m.Else():
                    m.next = "READ"
            with m.State("RECEIVE"), m.If(got):
                m.d.sync += [word.eq(Cat(word[8:], uart.received.payload)), place.eq(Mux(last, 0, place + 1))]
                with m.If(last):
                    m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += writes.eq(1)
                with m.If(done):
                    m.d.sync += [address.eq(address + 1), count.eq(count - 1)]
                    m.next = "RECEIVE"
                    with m.If(count == 1):
                        m.next = "ACKNOWLEDGE"
            with m.State("ACKNOWLEDGE"):
                m.d.comb += [uart.sent.valid.eq(1), uart.sent.payload.eq(ACKNOWLEDGE)]
                with m.If(uart.sent.ready):
                    m.next = "HEADER"
            with m.State("READ"):
                m.d.comb += reads.eq(1)
                with m.If(done):
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.sync += [word.eq(Mux(of_registers, registers.read_data, store.data)), address.eq(address + 1)]
                m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += [uart.sent.valid.eq(1), uart.sent.payload.eq(word[:8])]
                with m.If(uart.sent.ready):
                    m.d.sync += [word.eq(word >> 8), place.eq(Mux(last, 0, place + 1))]
                    with m.If(last):
                        m.d.sync += count.eq(count - 1)
                        m.next = "READ"
                        with m.If(count == 1):
                            m.next = "HEADER"
