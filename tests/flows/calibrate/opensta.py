"""A second opinion on power: Debian's OpenSTA, of November 2019, and the formula that it follows.

It reads no waveforms, and activities of pins that are not input ports are overwritten by what it guesses from
functions. A global activity is obeyed, so it is asked twice, at no toggle and at one toggle per cycle of every pin:
the difference is what toggles cost, the rest is the clock's.

Its formula (``Power::findInternalPower`` of commit c018cb2) is linear in the tables: each group of a pin contributes
the energies of a rise *and* a fall, times a weight that guesses how often the group applies. `weight` is that guess,
`by_formula` the sum, so that loads, slews, units and tables are compared apart from the guess. The guess itself is
wrong wherever the weights of an output do not add up to a half, since one toggle is one edge of one group:

- an inverter's weight is 1: every toggle is charged twice (later versions average);
- of three inputs and more, the condition of most is not inferred, and a half each is charged: 1.25 for a NAND3;
- groups with ``when`` count with the probability of their condition, whichever input moved: 2 for an XOR2;
- tables of the ground pin are left out, but not where there is a ``when``: ASAP7's XOR2 is charged four times over.

It also adds wires that a library asks for by default, which are taken out here.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.calibrate import boolean
from flows.calibrate.library import Cell, Energy, Library
from flows.calibrate.netlist import CLOCK, Gate, Netlist
from flows.calibrate.timing import EDGES, Timing
from flows.verify import design

PERIOD_NS = 100.0
_ROW = re.compile(r"^\s*(\S+)\s+(\S+)\s+\S+\s+\S+\s+(_\d+_)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class ByGate:
    """Picojoules per cycle of each gate when every pin toggles once; what the clock costs is apart."""

    internal_pj: NDArray[np.float64]
    switching_pj: NDArray[np.float64]
    clock_pj: NDArray[np.float64]


def reported(netlist: Netlist, library: Library, folder: Path) -> ByGate:
    """Return what OpenSTA says; ``folder`` holds ``gates.v`` and the library as `synthesise` leaves them."""
    still, busy = (_energies_pj(netlist, library, folder, activity) for activity in (0, 1))
    return ByGate(*(busy - still).T, still[:, 0])


def by_formula(netlist: Netlist, timing: Timing, voltage_v: float) -> ByGate:
    """Return what its formula gives with our tables, loads and slews."""
    internal, clock = (np.zeros(len(netlist.gates)) for _ in range(2))
    for index, gate in enumerate(netlist.gates):
        for energy in gate.cell.energies:
            both = sum(_table(gate, energy, edge, netlist, timing) for edge in EDGES) * weight(gate.cell, energy)
            if energy.pin == gate.cell.clock_pin:
                clock[index] += 2 * both  # it toggles twice a cycle
            else:
                internal[index] += both
    load = np.array([sum(netlist.load_pf.get(gate.pins.get(pin), 0.0) for pin in gate.cell.outputs)
                       for gate in netlist.gates])  # fmt: skip
    return ByGate(internal, load * voltage_v**2 / 2, clock)


def _table(gate: Gate, energy: Energy, edge: str, netlist: Netlist, timing: Timing) -> float:
    table = energy.rise if edge == "rise" else energy.fall
    if table is None or energy.pin not in gate.pins:
        return 0.0
    slew = timing.slew(gate.pins.get(energy.related or energy.pin, ""), edge)
    load = netlist.load_pf.get(gate.pins[energy.pin], 0.0) if energy.pin in gate.cell.outputs else 0.0
    return table.at(slew=slew, load=load)


def weight(cell: Cell, energy: Energy) -> float:
    """Return how often a group is taken to apply per toggle of its pin, all pins being high half of the time."""
    if energy.when:
        return _duty(boolean.parse(energy.when))
    if energy.related and (tree := _inferred(boolean.parse(cell.outputs[energy.pin]), energy.related)):
        return _duty(tree)
    return 1.0 if (energy.related or energy.pin) == cell.clock_pin else 0.5


def _duty(tree: tuple[Any, ...]) -> float:
    match tree:
        case ("pin", _):
            return 0.5
        case ("const", value):
            return float(value)
        case ("!", part):
            return 1 - _duty(part)
    left, right = (_duty(part) for part in tree[1:])
    return {"&": left * right, "|": left + right - left * right, "^": left + right - 2 * left * right}[tree[0]]


def _inferred(tree: tuple[Any, ...], pin: str) -> tuple[Any, ...] | None:
    """Return the condition that it infers for ``pin``: only from the outermost operator of a function."""
    if tree[0] == "pin":
        return ("const", 1) if tree[1] == pin else None
    if tree[0] == "!":
        return _inferred(tree[1], pin)
    for one, other in ((tree[1], tree[2]), (tree[2], tree[1])):
        if one in (("pin", pin), ("!", ("pin", pin))):
            condition: tuple[Any, ...] = other if tree[0] == "&" else ("!", other)
            return condition
    return None


def _energies_pj(netlist: Netlist, library: Library, folder: Path, activity: int) -> NDArray[np.float64]:
    """Return internal and switching energy per cycle of every gate, shape ``(gates, 2)``."""
    period = PERIOD_NS / library.time_ns
    for index in range(len(library.paths)):
        cells = folder / f"cells{index}.lib"  # without the wires that it would add by default
        cells.write_text(re.sub(r"default_wire_load\w*\s*:[^;]*;", "", cells.read_text("latin-1")), "latin-1")
    script = [
        *(f"read_liberty cells{index}.lib" for index in range(len(library.paths))),
        "read_verilog gates.v", f"link_design {design.TOP}",
        f"create_clock -name clock -period {period} [get_ports {CLOCK}]",
        "set_input_delay 0 -clock clock [all_inputs]",  # else gates behind the ports have no clock to count in
        f"sta::set_power_global_activity {activity} 0.5",
        "report_power -digits 8 -instances [get_cells *]", "exit",
    ]  # fmt: skip
    (folder / "power.tcl").write_text("\n".join(script) + "\n", encoding="utf-8")
    done = subprocess.run(
        ["sta", "-exit", "power.tcl"], cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True
    )
    rows = {name: (float(inside), float(outside)) for inside, outside, name in _ROW.findall(done.stdout)}
    return np.array([rows[gate.name] for gate in netlist.gates]) * PERIOD_NS * 1e3  # W x ns = nJ
