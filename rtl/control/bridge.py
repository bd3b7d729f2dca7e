"""The accelerator on a board without a processor: its memory is on the chip, a host reaches it over a serial line.

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


class LocalMemory(Frozen):
    """Block memory behind a `MemoryPort`, with a plain access for whoever else fills it.

    A burst's first word comes two cycles after its request, the next ones follow in every cycle; a write is done two
    cycles after its last word.
    """

    bits: Annotated[int, Field(ge=8, le=512)] = 64
    words: Annotated[int, Field(ge=2, le=1 << 24)] = 4096

    def create(self, content: Sequence[int] = ()) -> LocalMemoryUnit:
        """Return the hardware; its words are those of ``content`` at first, then zeros."""
        return LocalMemoryUnit(self, content)


class LocalMemoryUnit(wiring.Component):
    """Hardware of a `LocalMemory`.

    ``address``, ``write``, ``write_data`` and, a cycle later, ``data`` are the plain access; only between bursts.
    """

    def __init__(self, parameters: LocalMemory, content: Sequence[int] = ()) -> None:
        self.parameters, self.content = parameters, content
        p = parameters
        super().__init__(
            {
                "memory": In(MemoryPort(p.bits)),
                "address": In(range(p.words)),
                "write": In(1),
                "write_data": In(p.bits),
                "data": Out(p.bits),
            }
        )

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
        return m


class SerialAccelerator(wiring.Component):
    """An accelerator with a memory of its own, which may have a content from the start, and a serial line to a host."""

    def __init__(
        self, parameters: Accelerator, memory_words: int = 4096, divisor: int = 25, content: Sequence[int] = ()
    ) -> None:
        self.parameters, self.content = parameters, content
        self.local = LocalMemory(bits=parameters.memory_bits, words=memory_words)
        self.uart = Uart(divisor=divisor)
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "interrupt": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        core = self.parameters.create()
        local = self.local.create(self.content)
        m.submodules.registers, m.submodules.uart = registers, uart = (
            Registers(bits=30).create(), self.uart.create(),
        )  # fmt: skip
        m.submodules.core = ResetInserter(registers.reset)(core)
        m.submodules.local = ResetInserter(registers.reset)(local)
        connect(m, core.memory, local.memory)
        m.d.comb += [
            uart.rx.eq(self.rx),
            self.tx.eq(uart.tx),
            *registers.around(core),
            self.interrupt.eq(registers.interrupt),
        ]
        self._serve(m, local, registers, uart)
        return m

    def _serve(self, m: Module, local: wiring.Component, registers: wiring.Component, uart: wiring.Component) -> None:
        """Do what the bytes say."""
        size = max(self.local.bits, 32) // 8
        header, word = Signal(8 * HEADER_BYTES), Signal(8 * size)
        code, address, count = header[0], Signal(32), Signal(16)
        place, of_registers = Signal(range(max(size, HEADER_BYTES))), header[1]
        got, wrote = uart.received.valid, Signal()
        last = place == size - 1
        m.d.comb += [
            local.address.eq(address),
            registers.address.eq(address),
            local.write_data.eq(word),
            registers.write_data.eq(word),
            local.write.eq(wrote & ~of_registers),
            registers.write.eq(wrote & of_registers),
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
                m.d.comb += wrote.eq(1)
                m.d.sync += [address.eq(address + 1), count.eq(count - 1)]
                m.next = "RECEIVE"
                with m.If(count == 1):
                    m.next = "ACKNOWLEDGE"
            with m.State("ACKNOWLEDGE"):
                m.d.comb += [uart.sent.valid.eq(1), uart.sent.payload.eq(ACKNOWLEDGE)]
                with m.If(uart.sent.ready):
                    m.next = "HEADER"
            with m.State("READ"):
                m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.sync += [word.eq(Mux(of_registers, registers.read_data, local.data)), address.eq(address + 1)]
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
