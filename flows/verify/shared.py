"""An accelerator whose elements are instances of one module: the same hardware, and far less text for simulators."""

from __future__ import annotations

from amaranth.back import verilog
from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from rtl.accelerator import Accelerator

ELEMENT = "element"
"""Name of the module."""
LARGE = 100_000
"""Characters of an element from which on Verilator compiles it once, as a library: slower cycles, far fewer files."""
APART = "/* verilator hier_block */"


def text(accelerator: Accelerator) -> str:
    """Return Verilog with the modules ``accelerator`` and `ELEMENT`, of which Amaranth alone makes a copy per place.

    A large element is marked `APART`.
    """
    made = accelerator.pe.create()
    place = type("Place", (type(accelerator.pe),), {"create": lambda self: _Place(made.signature)})
    shared = accelerator.model_copy(update={"pe": place(**accelerator.pe.model_dump())})
    top: str = verilog.convert(shared.create(), name="accelerator", emit_src=False)
    element: str = verilog.convert(made, name=ELEMENT, emit_src=False)
    if len(element) > LARGE:
        before, header, body = element.partition(f"\nmodule {ELEMENT}(")
        element = before + header + body.replace(";", f"; {APART}", 1)
    return top + element


class _Place(wiring.Component):
    """Where an element is in the array."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ports = {f"{'i' if member.flow is In else 'o'}_{name}": Value.cast(getattr(self, name))
                 for name, member in self.signature.members.items()}  # fmt: skip
        m.submodules.element = Instance(ELEMENT, i_clk=ClockSignal(), i_rst=ResetSignal(), **ports)
        return m
