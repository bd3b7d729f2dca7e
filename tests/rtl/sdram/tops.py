"""Designs with SDRAM pins, with pads and a chip behind them, as Verilog for a cocotb bench."""

from pathlib import Path

from amaranth.back import verilog
from amaranth.hdl import ClockSignal, Instance, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from flows.fpga import models
from flows.verify import design

PADS = Path(__file__).with_name("pads.v")


class OnBoard(wiring.Component):
    """A component whose SDRAM pins (its own, or those of its store) go through pads; its other ports are its own."""

    def __init__(self, inner, owner):
        self.inner, self.owner = inner, owner
        super().__init__({name: member for name, member in inner.signature.members.items() if name != "pins"})

    def elaborate(self, platform):
        m = Module()
        m.submodules.inner, pins = self.inner, self.owner.pins
        for name, member in self.signature.members.items():
            outer, inner = getattr(self, name), getattr(self.inner, name)
            if member.is_signature:
                connect(m, flipped(outer), inner)
            elif member.flow == wiring.Out:
                m.d.comb += outer.eq(inner)
            else:
                m.d.comb += inner.eq(outer)
        outputs = ("order", "bank", "address", "mask", "write_data", "write_enable")
        m.submodules.pads = Instance(
            "pads", ("i", "clk", ClockSignal()), *(("i", name, getattr(pins, name)) for name in outputs),
            ("o", "read_data", pins.read_data),
        )  # fmt: skip
        return m


def write(top, controller, folder, rules=None):
    """Write the design, its pads and the chip, which has the rules of the controller's or others; return the files."""
    text = verilog.convert(top, name=design.TOP, emit_src=False)
    (folder / "top.v").write_text(text.replace("always @*", "always_comb"))  # which runs at the start, too
    parameters = models.sdram_parameters(controller.chip) | (rules or {})
    text = PADS.read_text().replace("`QUARTER_NS", str(250 / controller.clock_mhz))
    (folder / "pads.v").write_text(
        text.replace("`RULES", "".join(f", .{name}({value})" for name, value in parameters.items()))
    )
    return [str(folder / "top.v"), str(folder / "pads.v"), str(models.SDRAM)]
