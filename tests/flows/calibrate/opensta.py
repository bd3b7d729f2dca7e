"""A second opinion on power: Debian's OpenSTA prices a toggle of every gate, the simulation says how many there are.

That version, of 2019, reads no waveforms; the activity of pins that are not ports is overwritten by what it guesses
(and ``set_power_activity -pins`` fails before that). A global activity is obeyed. So it is asked twice, at no toggle
and at one toggle per cycle of every pin: the difference is the energy of one toggle of the gate's output (and, of a
flip-flop, of its input, which toggles as often), the rest is the clock's. It adds the energies of rising and falling
for every toggle, where one toggle is either and later versions average: its internal power is halved here.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flows.calibrate.library import Library
from flows.calibrate.netlist import CLOCK, Netlist
from flows.calibrate.simulation import Waves
from flows.verify import design

PERIOD_NS = 100.0
_ROW = re.compile(r"^\s*(\S+)\s+(\S+)\s+\S+\s+\S+\s+(_\d+_)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class ByGate:
    """Picojoules per cycle of each gate; the clock's part is not in the internal one."""

    internal_pj: NDArray[np.float64]
    switching_pj: NDArray[np.float64]
    clock_pj: NDArray[np.float64]


def by_gate(waves: Waves, library: Library, folder: Path) -> ByGate:
    """Return the energy of the first lane; ``folder`` is where `synthesise` left its files."""
    still, busy = (_energies_pj(waves.netlist, library, folder, activity) for activity in (0, 1))
    rates = output_toggles(waves)
    return ByGate((busy - still)[:, 0] * rates, (busy - still)[:, 1] * rates, still[:, 0])


def output_toggles(waves: Waves) -> NDArray[np.float64]:
    """Return how often each gate's outputs toggle per cycle in the first lane."""
    rates = dict(zip(waves.netlist.nets, waves.toggles()[:, 0] / (len(waves.words) - 1), strict=True))
    return np.array([sum(rates[gate.pins[pin]] for pin in gate.cell.outputs if pin in gate.pins)
                     for gate in waves.netlist.gates])  # fmt: skip


def _energies_pj(netlist: Netlist, library: Library, folder: Path, activity: int) -> NDArray[np.float64]:
    """Return internal and switching energy per cycle of every gate, shape ``(gates, 2)``."""
    period = PERIOD_NS / library.time_ns
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
    power_w = np.array([rows[gate.name] for gate in netlist.gates]) * [0.5, 1.0]
    return power_w * PERIOD_NS * 1e3  # W x ns = nJ
