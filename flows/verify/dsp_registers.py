"""Registers beside the multipliers of an ECP5 netlist, moved into them: yosys leaves the multipliers' own unused.

A multiplier of the ECP5 can register its operands and its product. Registers move only if they do the same there:
all bits of the operand, or all bits in use of the product, are in flip-flops of one clock and one enable, without
reset, set to zero at the start, and nobody else looks at what lies between.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from hwsim.files import write_text

Cell = dict[str, Any]

MULTIPLIER, FLIP_FLOP = "MULT18X18D", "TRELLIS_FF"
_OPERAND, _PRODUCT = 18, 36
_ENABLES = {"A": "CE0", "B": "CE1", "P": "CE2"}
_NAMES = {"A": "INPUTA", "B": "INPUTB", "P": "OUTPUT"}


def pack(netlist: Path) -> int:
    """Move what can be moved in a netlist of ``synth_ecp5 -json``; return how many flip-flops that saved."""
    design = json.loads(netlist.read_text(encoding="utf-8"))
    saved = sum(_Module(module).pack() for module in design["modules"].values())
    write_text(netlist, json.dumps(design))
    return saved


class _Module:
    """A module of the netlist and who drives and reads its nets."""

    def __init__(self, module: dict[str, Any]) -> None:
        self.cells: dict[str, Cell] = module["cells"]
        links = {name: cell["connections"] for name, cell in self.cells.items() if cell["type"] == FLIP_FLOP}
        self.registers = {bits["Q"][0]: name for name, bits in links.items()}
        self.inputs = {bits["DI"][0]: name for name, bits in links.items()}
        self.readers: Counter[Any] = Counter(
            bit for port in module["ports"].values() if port["direction"] == "output" for bit in port["bits"]
        )
        for cell in self.cells.values():
            for port, bits in cell["connections"].items():
                if cell["port_directions"][port] == "input":
                    self.readers.update(bits)

    def pack(self) -> int:
        multipliers = [cell for cell in self.cells.values() if cell["type"] == MULTIPLIER]
        return sum(self._operand(one, "A") + self._operand(one, "B") + self._product(one) for one in multipliers)

    def _operand(self, multiplier: Cell, letter: str) -> int:
        pins = [f"{letter}{index}" for index in range(_OPERAND)]
        bits = {pin: multiplier["connections"][pin][0] for pin in pins}
        used = Counter(bit for bit in bits.values() if bit not in {"0", "x"})
        if any(bit not in self.registers or self.readers[bit] != count for bit, count in used.items()):
            return 0
        names = {bit: self.registers[bit] for bit in used}
        if not self._configure(multiplier, letter, set(names.values())):
            return 0
        for pin, bit in bits.items():
            if bit in names:
                multiplier["connections"][pin] = self.cells[names[bit]]["connections"]["DI"]
        return self._remove(set(names.values()))

    def _product(self, multiplier: Cell) -> int:
        pins = [f"P{index}" for index in range(_PRODUCT)]
        bits = {pin: bit for pin in pins for bit in multiplier["connections"].get(pin, [])}
        used = {pin: bit for pin, bit in bits.items() if self.readers[bit]}
        if any(bit not in self.inputs or self.readers[bit] != 1 for bit in used.values()):
            return 0
        names = {pin: self.inputs[bit] for pin, bit in used.items()}
        if not self._configure(multiplier, "P", set(names.values())):
            return 0
        for pin, name in names.items():
            multiplier["connections"][pin] = self.cells[name]["connections"]["Q"]
        return self._remove(set(names.values()))

    def _configure(self, multiplier: Cell, letter: str, names: set[str]) -> bool:
        """Switch the multiplier's own register on, if the flip-flops have a common control that it can have, too."""
        controls = {_control(self.cells[name]) for name in names}
        if len(controls) != 1 or None in controls:
            return False
        clock, enable = next(control for control in controls if control)
        links, parameters = multiplier["connections"], multiplier["parameters"]
        register, pin = f"REG_{_NAMES[letter]}", _ENABLES[letter]
        if links.get("CLK0", [clock]) != [clock] or parameters.get(f"{register}_CLK", "NONE") != "NONE":
            return False
        links |= {"CLK0": [clock], pin: [enable], "RST0": ["0"]}
        multiplier["port_directions"] |= dict.fromkeys(("CLK0", pin, "RST0"), "input")
        parameters |= {f"{register}_CLK": "CLK0", f"{register}_CE": pin, f"{register}_RST": "RST0", "GSR": "DISABLED"}
        return True

    def _remove(self, names: set[str]) -> int:
        for name in names:
            del self.cells[name]
        return len(names)


def _control(cell: Cell) -> tuple[Any, Any] | None:
    """Clock and enable of a flip-flop without reset that starts at zero, on the rising edge; None for others."""
    parameters, links = cell["parameters"], cell["connections"]
    plain = {"CLKMUX": "CLK", "REGSET": "RESET", "LSRMUX": "LSR"}
    if any(parameters.get(key, value) != value for key, value in plain.items()) or links.get("LSR", ["0"]) != ["0"]:
        return None
    mux = parameters.get("CEMUX", "1").strip()
    if mux not in {"1", "CE"}:
        return None
    return links["CLK"][0], links["CE"][0] if mux == "CE" else "1"
