"""A store for the serial bridge: a chip behind a controller, for the accelerator's bursts and the host's words."""

from __future__ import annotations

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped

from rtl.control.bridge import store_ports
from rtl.control.port import Arbiter
from rtl.sdram.chip import SdramPins
from rtl.sdram.controller import SdramController


class SdramStore(wiring.Component):
    """`rtl.control.bridge.store_ports` in front of an SDRAM, and its ``pins``.

    A word of the host is a burst of one word; it takes tens of cycles, fewer than a byte on the serial line.
    """

    def __init__(self, controller: SdramController) -> None:
        self.controller = controller
        ports = store_ports(controller.bits, controller.words)
        super().__init__({**ports, "pins": Out(SdramPins(controller.chip))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.controller = controller = self.controller.create()
        m.submodules.arbiter = arbiter = ResetInserter(self.flush)(Arbiter(self.controller.bits))
        connect(m, flipped(self.memory), arbiter.first)
        connect(m, arbiter.memory, controller.memory)
        connect(m, controller.pins, flipped(self.pins))
        m.d.comb += controller.flush.eq(self.flush)
        self._words(m, arbiter.second)
        return m

    def _words(self, m: Module, port: wiring.PureInterface) -> None:
        """Make a burst of one word for each access of the host."""
        asked = Signal()
        m.d.comb += [
            port.request.valid.eq((self.read | self.write) & ~asked),
            port.request.payload.address.eq(self.address),
            port.request.payload.count.eq(1),
            port.request.payload.write.eq(self.write),
            port.write.valid.eq(asked & self.write),
            port.write.payload.eq(self.write_data),
            port.read.ready.eq(1),
            self.ready.eq(port.read.valid | port.written),
        ]
        with m.If(self.ready):
            m.d.sync += asked.eq(0)
        with m.Elif(port.request.valid & port.request.ready):
            m.d.sync += asked.eq(1)
        with m.If(port.read.valid):
            m.d.sync += self.data.eq(port.read.payload)
