"""An SDRAM's pins: registers in the pads on the way out and in, and the clock a quarter of a period later.

So the chip sees commands a quarter of a period before its clock's edge, and its answer, late by its access time of 6 ns
and the pads, is taken by the next edge of the controller's clock.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Elaboratable, Module
from amaranth.lib import io

from rtl.sdram.chip import Sdram, SdramPins


class SdramPads(Elaboratable):
    """Pads between ``pins`` and the ports of an ``sdram`` of amaranth-boards."""

    def __init__(self, chip: Sdram, ports: Any) -> None:
        self.pins, self.ports = SdramPins(chip).flip().create(), ports

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pins, ports = self.pins, self.ports
        levels = {
            "a": pins.address, "ba": pins.bank, "ras": pins.order[2], "cas": pins.order[1], "we": pins.order[0],
            "dqm": pins.mask.replicate(len(ports.dqm)), "cs": 1, "clk_en": 1,
        }  # fmt: skip
        for name, level in levels.items():
            m.submodules[name] = pad = io.FFBuffer("o", getattr(ports, name))
            m.d.comb += pad.o.eq(level)
        m.submodules.dq = data = io.FFBuffer("io", ports.dq)
        m.submodules.clk = clock = io.DDRBuffer("o", ports.clk, o_domain="sdram")
        m.d.comb += [
            data.o.eq(pins.write_data), data.oe.eq(pins.write_enable), pins.read_data.eq(data.i),
            clock.o[0].eq(1), clock.o[1].eq(0),
        ]  # fmt: skip
        return m
