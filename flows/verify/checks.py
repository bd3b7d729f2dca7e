"""The checks of one PE configuration; each raises, or returns a line about what it saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.verify import baseline, contract, design, formal, fpga, gate, mutation, stimulus
from flows.verify.simulate import MismatchError, Simulator, simulate
from flows.verify.stimulus import Stimulus
from hwsim.errors import HwsimError
from rtl.pe.element import Accumulator, ProcessingElement
from rtl.pe.floating import FloatMac

SEED = 1


@dataclass(frozen=True)
class Effort:
    """How much a tier does.

    Attributes
    ----------
    random_beats, float_beats
        Beats of a random sweep, and of one of floating-point numbers on Verilator.
    gate_beats
        Beats at gate level.
    mutants, mutant_beats
        How many, and how many beats each must survive; half of those are random.
    parts
        FPGAs to measure on.
    """

    random_beats: int
    float_beats: int
    gate_beats: int
    mutants: int
    mutant_beats: int
    parts: tuple[str, ...]


TIERS = {
    "quick": Effort(3_000, 30_000, 1_500, 40, 2_400, ("ecp5-25k",)),
    "full": Effort(20_000, 1_000_000, 10_000, 150, 8_000, tuple(fpga.PARTS)),
}


@dataclass(frozen=True)
class Case:
    """One check of one configuration: what it is given."""

    name: str
    pe: ProcessingElement
    effort: Effort
    folder: Path
    update: bool = False

    def verilog(self) -> Path:
        """Write the PE's Verilog and return its path."""
        return design.emit(self.pe.create(), self.folder / "pe.v")

    def compare(self, target: str, figures: dict[str, Any]) -> None:
        """Compare figures with the baseline's, or let them become it."""
        use = baseline.accept if self.update else baseline.check
        use(self.name, target, figures)

    def beats(self, simulator: Simulator = "icarus") -> Stimulus:
        """Return the tier's stimulus; long floating-point runs are left to Verilator."""
        floating = isinstance(self.pe, FloatMac) and simulator == "verilator"
        count = self.effort.float_beats if floating else self.effort.random_beats
        return stimulus.make(self.pe, count, SEED)


class CoverageError(HwsimError):
    """A declared bin was never met."""


class MutationError(HwsimError):
    """Too many mutants survive."""


def simulation(case: Case, simulator: Simulator) -> str:
    """Every result is the twin's, and every bin of functional coverage is met."""
    report = simulate(case.pe, case.beats(simulator), [case.verilog()], case.folder, simulator)
    covered = report["coverage"]
    if covered["missing"]:
        raise CoverageError(f"{len(covered['missing'])} bins not met: {', '.join(covered['missing'][:5])}")
    exhaustive = "all operands, " if case.pe.operand_bits <= stimulus.EXHAUSTIVE_BITS else ""
    return f"{exhaustive}{report['checked']} results, {covered['met']}/{covered['declared']} bins"


def proof(case: Case) -> str:
    """The PE is its specification; a floating-point PE keeps the contract."""
    if isinstance(case.pe, FloatMac):
        return contract.prove(case.pe, case.folder)
    if not isinstance(case.pe, Accumulator):
        raise formal.ProofError(f"nothing says what {case.pe.key} must be; see flows/verify/specification.py")
    lines = []
    for index, proved in enumerate(formal.provable(case.pe)):
        line = formal.prove(proved, case.folder / str(index))
        changed = {k: v for k, v in proved.model_dump().items() if v != case.pe.model_dump()[k]}
        lines.append(f"{line}{', with ' + ', '.join(f'{k}={v}' for k, v in changed.items()) if changed else ''}")
    return "; ".join(lines)


def gates(case: Case) -> str:
    """The mapped netlist does the same, and its area is the baseline's."""
    netlist = gate.synthesise(case.verilog(), case.folder)
    figures = {"area_um2": netlist.area_um2, "cells": netlist.cells}
    beats = case.beats().head(case.effort.gate_beats)
    report = simulate(case.pe, beats, netlist.sources, case.folder / "simulation")
    case.compare("osu018", figures)
    return f"{report['checked']} results, {netlist.cells} cells, {netlist.area_um2:.0f} um2"


LEAST_SHARE = 0.95
"""Share of the mutants that must be killed, not counting those shown equivalent."""


def mutants(case: Case) -> str:
    """Nearly every small defect is noticed."""
    made = mutation.mutate(case.verilog(), case.effort.mutants, SEED, case.folder)
    simulator: Simulator = "verilator" if isinstance(case.pe, FloatMac) else "icarus"  # deep logic
    most = case.effort.mutant_beats
    beats = stimulus.make(case.pe, most // 2, SEED).head(most)
    score = mutation.score(case.pe, beats, made, case.folder, simulator)
    if score.share < LEAST_SHARE:
        raise MutationError(f"{score.share:.1%} killed; survivors: {'; '.join(score.survivors[:5])}")
    killed = f"{score.simulated} by simulation, {score.proved} by proof"
    named = f": {'; '.join(score.survivors)}" if score.survivors else ""
    line = f"{score.share:.1%}: {killed}, {len(score.equivalent)} equivalent, {len(score.survivors)} survive"
    return line + named


def resources(case: Case, part: str) -> str:
    """LUT, FF, DSP, BRAM and clock meet their targets and are the baseline's."""
    figures = fpga.measure(case.pe, part, case.folder)
    baseline.meet(case.name, part, figures)
    case.compare(part, figures)
    return ", ".join(f"{name} {value}" for name, value in figures.items())


Check = Callable[[Case], str]


def of_tier(tier: str, simulators: tuple[Simulator, ...]) -> dict[str, Check]:
    """Return the checks of a tier by name."""
    found: dict[str, Check] = {}
    for simulator in simulators:
        found[f"simulate-{simulator}"] = _bind(simulation, simulator)
    found |= {"proof": proof, "gate": gates, "mutation": mutants}
    for part in TIERS[tier].parts:
        found[f"resources-{part}"] = _bind(resources, part)
    return found


def _bind(check: Callable[..., str], argument: Any) -> Check:
    return lambda case: check(case, argument)


__all__ = ["TIERS", "Case", "Check", "CoverageError", "MismatchError", "MutationError", "of_tier"]
