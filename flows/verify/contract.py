"""Proof of the stream contract of PEs whose arithmetic no solver ends with: valid, clear, stall, latency.

The sum is cut out and a free value stands for it. Proved by k-induction, so for every arithmetic: a cycle in
which no beat reaches the accumulator leaves it alone; a beat stores the sum, ``latency`` cycles after it was
taken; ``done`` comes with exactly those of them that were marked ``last``; and the sum of a beat marked
``first`` starts from zero.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import Assert, ClockDomain, Elaboratable, Module, Signal, Value

from flows.verify import formal
from rtl import shapes
from rtl.pe.floating import FloatElement, FloatMac


class Contract(Elaboratable):
    """A PE whose sum is a free value, with assertions about when it is stored."""

    def __init__(self, pe: FloatMac) -> None:
        self.pe = pe
        self.clock = ClockDomain("sync", reset_less=True)
        self.free = Signal(32, name="free_sum")
        self.design = _Cut(pe, self.free)
        names = {"valid": 1, "first": 1, "last": 1, **{n: shapes.width(f) for n, f in pe.operands.items()}}
        self.inputs = {name: Signal(width, name=name) for name, width in names.items()}

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.sync = self.clock
        m.submodules.design = design = self.design
        for name, signal in self.inputs.items():
            m.d.comb += Value.cast(getattr(design, name)).eq(signal)
        late = {name: self.inputs[name] for name in ("valid", "first", "last")}
        for _ in range(self.pe.stages):
            late = {name: _next(m, value) for name, value in late.items()}
        ended = _next(m, late["valid"] & late["last"])
        moved = ended if self.pe.restart == "last" else _next(m, late["valid"])
        before, stored, started = _next(m, design.acc), _next(m, self.free), Signal()
        m.d.sync += started.eq(1)
        m.d.comb += [Assert(design.ready), Assert(design.done == ended)]
        with m.If(started):
            m.d.comb += [Assert(moved | (design.acc == before)), Assert(~moved | (design.acc == stored))]
        if self.pe.restart == "first":
            fresh = late["valid"] & late["first"]
        else:
            fresh = Signal(init=1)
            with m.If(late["valid"]):
                m.d.sync += fresh.eq(late["last"])
        with m.If(fresh):
            m.d.comb += Assert(design.base == 0)
        return m


def prove(pe: FloatMac, folder: Path) -> str:
    """Prove the contract and return a line about the proof; raises as `formal.prove` does."""
    harness = Contract(pe)
    ports = [harness.clock.clk, harness.free, *harness.inputs.values()]
    text = rtlil.convert(harness, ports=ports, name="harness", emit_src=False)
    return f"contract, {formal.run(text, formal.depth(pe), folder)}"


class _Cut(FloatElement):
    """The PE's own hardware with a free value for the sum; what the sum would start from stays visible."""

    def __init__(self, pe: FloatMac, free: Signal) -> None:
        super().__init__(pe)
        self.free, self.base = free, Signal(len(free), name="visible_base")

    def sum(self, m: Module, base: Value, term: Any) -> Value:
        m.d.comb += self.base.eq(base)
        return self.free


def _next(m: Module, value: Value) -> Value:
    late = Signal.like(Value.cast(value)) if isinstance(value, Signal) else Signal(len(Value.cast(value)))
    m.d.sync += late.eq(value)
    return late
