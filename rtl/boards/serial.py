"""A board with a serial line: its memory is on the FPGA and may hold a network from the start, or it is an SDRAM."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Elaboratable, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import connect

from rtl.accelerator import Accelerator
from rtl.boards.clocks import Pll
from rtl.boards.sdram import SdramPads
from rtl.control.bridge import SerialAccelerator
from rtl.sdram import SdramStore


class SerialBoard(Elaboratable):
    """A `SerialAccelerator` on the ``uart`` of a platform of amaranth-boards, which brings clock and reset.

    Parameters
    ----------
    accelerator
        The accelerator.
    store
        Its memory; an `SdramStore` gets the ``sdram`` of the platform.
    divisor
        Clock cycles per bit of the line.
    pll
        What makes the clock out of the board's; None: the board's is the clock.
    """

    def __init__(self, accelerator: Accelerator, store: wiring.Component, divisor: int, pll: Pll | None = None) -> None:
        self.accelerator, self.store, self.divisor, self.pll = accelerator, store, divisor, pll

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.pll:
            m.submodules.clocks = self.pll.create(platform.request(platform.default_clk, 0, dir="-"))
        if isinstance(self.store, SdramStore):
            ports = platform.request("sdram", 0, dir="-")
            m.submodules.pads = pads = SdramPads(self.store.controller.chip, ports)
            connect(m, self.store.pins, pads.pins)
        line = platform.request("uart", 0)
        m.submodules.board = unit = SerialAccelerator(self.accelerator, self.store, self.divisor)
        m.d.comb += [unit.rx.eq(line.rx.i), line.tx.o.eq(unit.tx)]
        return m
