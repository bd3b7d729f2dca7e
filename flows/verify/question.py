"""The question whether a PE and a mutant differ in one step, in Verilog: from every state that a sum can have.

The registers of both are ports. In a pipeline of floating point, what a product is stored as is not free either:
another copy of the PE, a cycle before, makes it of free operands.
"""

from __future__ import annotations

import re

from amaranth.hdl import Shape

from hwsim.formats.floats import LAYOUTS
from rtl.pe.element import ProcessingElement
from rtl.pe.floating import NAN, FloatMac

SELECT = "mutant"
"""Name of the input that chooses a mutant; 0 is the PE itself."""


def write(states: str, pe: ProcessingElement) -> str:
    """Return the module ``question`` around ``both`` copies, whose ``answer`` is 1 where they differ.

    ``differs`` has a bit for each of the `registers` that would take another value, and ``sums`` what those hold that
    `sums` names.

    Parameters
    ----------
    states
        Verilog of the PE with its registers as ports: ``name.q`` is what one holds, ``name.d`` what it takes next.
    pe
        The PE.
    """
    found = re.findall(r"^\s*input (\[\d+:0\] )?(\\\S+ |\w+)\s*;", states, re.MULTILINE)
    ports = [(width, name.strip().lstrip("\\")) for width, name in found if name.strip() != SELECT]
    held = registers(states)
    stored = _stored(held, pe)
    ends = [(side, number, name) for side in ("gold", "gate") for number, (_, name) in enumerate(held)]
    origin = {name: "stored" if name.removesuffix(".q") in stored else "in" for _, name in ports}
    links = [f".\\in_{name} (\\{origin[name]}_{name} )" for _, name in ports]
    links += [f".\\{side}_{name}.d (next_{side}{number})" for side, number, name in ends]
    unequal = (f"next_gold{number} != next_gate{number}" for number in range(len(held)))
    codes = _codes(held, pe)
    shown = ["output answer", f"output [{len(held) - 1}:0] differs", f"output [{max(32 * len(codes), 1) - 1}:0] sums"]
    before, early = _before(ports, stored)
    inputs = [f"input {width}\\in_{name} " for width, name in ports if origin[name] == "in"]
    return "\n".join([
        f"module question({', '.join([*inputs, *early, *shown])});",
        "  wire trigger;",
        f"  wire [{Shape.cast(pe.results['acc']).width - 1}:0] gold_acc;",
        *(f"  wire {held[number][0]}next_{side}{number};" for side, number, _ in ends),
        *before,
        f"  both both({', '.join([*links, '.trigger(trigger)', '.gold_acc(gold_acc)'])});",
        f"  assign differs = {{{', '.join(unequal)}}};",
        f"  assign sums = {{{', '.join(codes or _NONE)}}};",
        f"  assign answer = {' & '.join(['trigger', *(_possible(code, pe.form) for code in codes)])};",  # type: ignore[attr-defined] # sums of a FloatMac
        "endmodule", "",
    ])  # fmt: skip


def registers(states: str) -> list[tuple[str, str]]:
    """Return widths, in brackets, and names of the registers of a netlist whose registers are ports."""
    return re.findall(r"^\s*output (\[\d+:0\] )?\\(\S+)\.d ;", states, re.MULTILINE)


def sums(held: list[tuple[str, str]], pe: ProcessingElement) -> list[str]:
    """Return the registers that hold sums of floating point, if they can be told from others.

    Without a pipeline all data are sums; in one, they are the registers of 32 bits, unless operands have as many.
    """
    if not isinstance(pe, FloatMac):
        return []
    if not pe.stages:
        return [name for _, name in held if not name.endswith(_CONTROL)]
    wide = [name for width, name in held if width == "[31:0] "]
    return wide if len(wide) == (2 if pe.restart == "last" else 1) else []


def _codes(held: list[tuple[str, str]], pe: ProcessingElement) -> list[str]:
    """Numbers of 32 bits that are sums of floating point: the result, and what runs beside it."""
    if not isinstance(pe, FloatMac):
        return []
    running = [f"\\in_{name}.q " for width, name in held if name in sums(held, pe) and width == "[31:0] "]
    return running if pe.restart == "last" else ["gold_acc"]


def _stored(held: list[tuple[str, str]], pe: ProcessingElement) -> set[str]:
    """Registers of a pipeline of floating point that hold operands and products."""
    if not isinstance(pe, FloatMac) or not pe.stages:
        return set()
    return {name for _, name in held if name not in sums(held, pe) and not name.endswith(_CONTROL)}


_NONE = ("1'b0",)
_CONTROL = ("valid", "first", "last", "done")


def _before(ports: list[tuple[str, str]], stored: set[str]) -> tuple[list[str], list[str]]:
    """The PE a cycle before, in which every beat is valid, as Verilog, and the inputs that it needs."""
    if not stored:
        return [], []
    fixed = {"rst": "1'b0", **{name: "1'b1" for _, name in ports if name.removesuffix(".q").endswith("valid")}}
    free = [(width, name) for width, name in ports if name not in fixed]
    links = [f".\\{name} ({value})" for name, value in fixed.items()]
    links += [f".\\{name} (\\early_{name} )" for _, name in free]
    links += [f".\\{name}.d (\\stored_{name}.q )" for name in sorted(stored)]
    wires = [f"  wire {width}\\stored_{name} ;" for width, name in ports if name.removesuffix(".q") in stored]
    inputs = [f"input {width}\\early_{name} " for width, name in free]
    return [*wires, f"  earlier earlier({', '.join(links)});"], inputs


def _possible(acc: str, form: str) -> str:
    """What is true of an accumulator after any sum of products, as Verilog.

    Sums of floating-point products are multiples of the smallest one, and none passes 2**24 times the power of two
    above the largest one, where each is at most half of the last place.
    """
    layout = LAYOUTS[form]
    lowest = 2 * (1 - layout.bias - layout.mantissa)
    top = 2 * ((layout.largest_code >> layout.mantissa) - layout.bias + 1)
    field, least = f"{acc}[30:23]", max(lowest + 127, 1)
    most = min(127 + top + 24, 255)
    whole = " & ".join(
        f"({field} != {one} | {acc}[{150 + lowest - one - 1}:0] == 0)"
        for one in range(least, min(150 + lowest, most))
    )  # bits below the smallest product
    small = f"{field} == 0" if lowest < -149 else f"{acc}[30:0] == 0"
    infinite = f"{acc}[30:0] == 31'h7f800000" if layout.specials == "ieee" else "1'b0"
    finite = f"({field} >= {least} & {field} < {most}{' & ' + whole if whole else ''})"
    return f"({small} | {acc} == 32'd{NAN} | {infinite} | {finite} | {acc}[30:0] == 31'd{most << 23})"
