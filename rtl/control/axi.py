"""AXI4 for Zynq and its like: the accelerator with AXI4-Lite registers and an AXI4 memory master.

Port names are those of the AXI specification with the prefixes ``s_axil_`` and ``m_axi_``, all lower case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib import fifo, wiring
from amaranth.lib.wiring import In, Out, connect
from pydantic import Field, model_validator

from hwsim.files import Frozen
from rtl.control.port import MemoryPort
from rtl.control.registers import Registers

if TYPE_CHECKING:
    from rtl.accelerator import Accelerator

INCREMENT = 1
BOUNDARY = 4096
"""Bytes: no AXI burst may cross a multiple."""


class AxiMaster(Frozen):
    """Turns bursts of a `MemoryPort` into AXI4 bursts; words are as wide as AXI's data.

    A burst that would cross a boundary of 4096 bytes is cut in two. ``flush``, with which the accelerator is reset,
    lets a burst under way come to its end: words that are read are dropped, those not given yet are not written.

    Attributes
    ----------
    bits
        Width of a word.
    address_bits
        Width of an AXI address.
    """

    bits: Annotated[int, Field(ge=32, le=512)] = 64
    address_bits: Annotated[int, Field(ge=12, le=64)] = 32

    @model_validator(mode="after")
    def _power_of_two(self) -> AxiMaster:
        if self.bits & (self.bits - 1):
            raise ValueError("bits must be a power of two")
        return self

    def create(self) -> Master:
        """Return the hardware."""
        return Master(self)


def axi_ports(bits: int, address_bits: int) -> dict[str, wiring.Member]:
    """Ports of an AXI4 master with one ID, without the optional signals that do nothing here."""
    address = {"id": 1, "addr": address_bits, "len": 8, "size": 3, "burst": 2, "prot": 3, "cache": 4}
    ports: dict[str, wiring.Member] = {}
    for channel in ("aw", "ar"):
        ports |= {f"{channel}{name}": Out(width) for name, width in address.items()}
        ports |= {f"{channel}valid": Out(1), f"{channel}ready": In(1)}
    ports |= {"wdata": Out(bits), "wstrb": Out(bits // 8), "wlast": Out(1), "wvalid": Out(1), "wready": In(1)}
    ports |= {"bid": In(1), "bresp": In(2), "bvalid": In(1), "bready": Out(1)}
    return ports | {"rid": In(1), "rdata": In(bits), "rresp": In(2), "rlast": In(1), "rvalid": In(1), "rready": Out(1)}


class Master(wiring.Component):
    """Hardware of an `AxiMaster`."""

    def __init__(self, parameters: AxiMaster) -> None:
        self.parameters = p = parameters
        super().__init__(
            {
                "memory": In(MemoryPort(p.bits)),
                "flush": In(1),
                "base": In(p.address_bits),
                **axi_ports(p.bits, p.address_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p, memory = self.parameters, self.memory
        size = (p.bits // 8).bit_length() - 1
        line = BOUNDARY >> size  # words between boundaries
        address, left, part, sent = Signal(32), Signal(9), Signal(9), Signal(9)
        drop = Signal()
        m.submodules.queue = queue = fifo.SyncFIFO(width=p.bits, depth=2)  # keeps what is on offer through a reset
        room = line - (address & (line - 1))
        m.d.comb += part.eq(Mux(left > room, room, left))
        for channel in ("aw", "ar"):
            fields = {"addr": self.base + (address << size), "len": part - 1, "size": size, "burst": INCREMENT,
                      "prot": 0, "cache": 3}  # fmt: skip
            m.d.comb += [getattr(self, channel + name).eq(value) for name, value in fields.items()]
        m.d.comb += [
            memory.read.payload.eq(self.rdata),
            queue.w_data.eq(memory.write.payload),
            queue.w_en.eq(memory.write.valid & memory.write.ready),
            queue.r_en.eq(self.wvalid & self.wready),
            self.wdata.eq(queue.r_data),
            self.wstrb.eq(queue.r_rdy.replicate(p.bits // 8)),
            self.wlast.eq(sent == 1),
        ]
        with m.If(self.flush):
            m.d.sync += drop.eq(1)
        with m.FSM() as state:
            m.d.comb += [
                memory.request.ready.eq(state.ongoing("IDLE") & ~self.flush),
                self.arvalid.eq(state.ongoing("READ_ADDRESS")),
                self.awvalid.eq(state.ongoing("WRITE_ADDRESS")),
                self.bready.eq(state.ongoing("RESPONSE")),
                self.rready.eq(state.ongoing("READ") & (memory.read.ready | drop)),
                memory.read.valid.eq(state.ongoing("READ") & self.rvalid & ~drop),
                self.wvalid.eq(state.ongoing("WRITE") & (queue.r_rdy | drop)),
                memory.write.ready.eq(state.ongoing("WRITE") & queue.w_rdy & ~drop),
            ]
            with m.State("IDLE"):
                m.d.sync += drop.eq(0)
                with m.If(memory.request.valid & ~self.flush):
                    m.d.sync += [address.eq(memory.request.payload.address), left.eq(memory.request.payload.count)]
                    with m.If(memory.request.payload.write):
                        m.next = "WRITE_ADDRESS"
                    with m.Else():
                        m.next = "READ_ADDRESS"
            for name, channel in (("READ", "ar"), ("WRITE", "aw")):
                with m.State(f"{name}_ADDRESS"), m.If(getattr(self, f"{channel}ready")):
                    m.d.sync += [left.eq(left - part), address.eq(address + part), sent.eq(part)]
                    m.next = name
            with m.State("READ"), m.If(self.rvalid & self.rready):
                m.d.comb += memory.failed.eq(self.rresp[1] & ~drop)
                with m.If(self.rlast & (left == 0)):
                    m.next = "IDLE"
                with m.Elif(self.rlast):
                    m.next = "READ_ADDRESS"
            with m.State("WRITE"), m.If(self.wvalid & self.wready):
                m.d.sync += sent.eq(sent - 1)
                with m.If(sent == 1):
                    m.next = "RESPONSE"
            with m.State("RESPONSE"), m.If(self.bvalid):
                m.d.comb += [memory.failed.eq(self.bresp[1] & ~drop), memory.written.eq((left == 0) & ~drop)]
                with m.If(left == 0):
                    m.next = "IDLE"
                with m.Else():
                    m.next = "WRITE_ADDRESS"
        return m


class AxiLite(wiring.Component):
    """AXI4-Lite slave in front of `RegisterFile`: one access at a time, writes first; every address answers OKAY."""

    def __init__(self, registers: Registers) -> None:
        self.registers = registers
        address = registers.bits + 2
        super().__init__(
            {
                "awaddr": In(address), "awprot": In(3), "awvalid": In(1), "awready": Out(1),
                "wdata": In(32), "wstrb": In(4), "wvalid": In(1), "wready": Out(1),
                "bresp": Out(2), "bvalid": Out(1), "bready": In(1),
                "araddr": In(address), "arprot": In(3), "arvalid": In(1), "arready": Out(1),
                "rdata": Out(32), "rresp": Out(2), "rvalid": Out(1), "rready": In(1),
                "write": Out(1), "address": Out(registers.bits), "write_data": Out(32), "read_data": In(32),
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        takes = self.awvalid & self.wvalid & ~self.bvalid
        reads = self.arvalid & ~self.rvalid & ~takes
        m.d.comb += [
            self.awready.eq(takes),
            self.wready.eq(takes),
            self.arready.eq(reads),
            self.write.eq(takes & self.wstrb.all()),
            self.address.eq(Mux(takes, self.awaddr, self.araddr) >> 2),
            self.write_data.eq(self.wdata),
        ]
        m.d.sync += [
            self.bvalid.eq(takes | (self.bvalid & ~self.bready)),
            self.rvalid.eq(reads | (self.rvalid & ~self.rready)),
        ]
        with m.If(reads):
            m.d.sync += self.rdata.eq(self.read_data)
        return m


class AxiAccelerator(wiring.Component):
    """An accelerator with AXI4-Lite registers, an AXI4 memory master and an interrupt.

    ``m_base`` is the byte address of word 0 of the accelerator's memory, a multiple of 4096.
    """

    def __init__(self, parameters: Accelerator, address_bits: int = 32) -> None:
        self.parameters, self.registers = parameters, Registers()
        self.master = AxiMaster(bits=parameters.memory_bits, address_bits=address_bits)
        self.lite = AxiLite(self.registers)
        bus = ("write", "address", "write_data", "read_data")
        lite = {f"s_axil_{name}": member for name, member in self.lite.signature.members.items() if name not in bus}
        master = {f"m_axi_{name}": member for name, member in axi_ports(parameters.memory_bits, address_bits).items()}
        super().__init__({**lite, **master, "m_base": In(address_bits), "interrupt": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.lite, m.submodules.registers, m.submodules.master = lite, registers, master = (
            self.lite, self.registers.create(), self.master.create(),
        )  # fmt: skip
        core = self.parameters.create()
        m.submodules.core = ResetInserter(registers.reset)(core)
        connect(m, core.memory, master.memory)
        m.d.comb += [
            registers.write.eq(lite.write),
            registers.address.eq(lite.address),
            registers.write_data.eq(lite.write_data),
            lite.read_data.eq(registers.read_data),
            *registers.around(core),
            master.flush.eq(registers.reset),
            master.base.eq(self.m_base),
            self.interrupt.eq(registers.interrupt),
        ]
        for prefix, part in (("s_axil_", lite), ("m_axi_", master)):
            for name, member in self.signature.members.items():
                if name.startswith(prefix):
                    own, inner = getattr(self, name), getattr(part, name.removeprefix(prefix))
                    m.d.comb += own.eq(inner) if member.flow == Out else inner.eq(own)
        return m
