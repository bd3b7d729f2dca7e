"""Proof by k-induction that a PE is its specification, through sby and z3.

The harness feeds one beat stream to the PE and to the specification and asserts, in every cycle, equal results
and equal ``done``. Since the specification holds its sum without a valid beat and forgets it at ``first``, that
covers the contract (valid, clear, stall) as well.
"""

from __future__ import annotations

from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import Assert, Assume, Elaboratable, Module, Signal, Value

from flows.verify import tools
from flows.verify.specification import Specification
from hwsim.errors import HwsimError
from hwsim.files import write_text
from rtl.pe.element import ProcessingElement
from rtl.pe.serial import BitSerialMac

MINUTES = 10
"""Longest time that a proof may take."""


class ProofError(HwsimError):
    """The PE differs from its specification, or the proof did not end."""


class Equivalence(Elaboratable):
    """A PE beside its specification, with the assertions."""

    def __init__(self, pe: ProcessingElement, design: Elaboratable | None = None) -> None:
        self.pe = pe
        self.design = design if design is not None else pe.create()
        self.inputs = {
            name: Signal(port.shape(), name=name) for name, port in Specification(pe).ports.items()
        }

    def elaborate(self, platform: object) -> Module:
        m = Module()
        specification = Specification(self.pe)
        m.submodules.design, m.submodules.specification = self.design, specification
        for name, signal in self.inputs.items():
            m.d.comb += Value.cast(getattr(self.design, name)).eq(Value.cast(signal))
            m.d.comb += Value.cast(specification.ports[name]).eq(Value.cast(signal))
        same = [getattr(self.design, name) == value for name, value in specification.results.items()]
        if isinstance(self.pe, BitSerialMac):
            self._serial(m, specification, same)
        else:
            m.d.comb += [Assert(claim) for claim in same]
            m.d.comb += [Assert(self.design.done == specification.done), Assert(self.design.ready)]
        return m
