"""A second opinion on power: Debian's OpenSTA prices a toggle of every gate, the simulation says how many there are.

That version, of 2019, reads no waveforms; the activity of pins that are not ports is overwritten by what it guesses
(and ``set_power_activity -pins`` fails before that). A global activity is obeyed. So it is asked twice, at no toggle
and at one toggle per cycle of every pin: the difference is the energy of one toggle of the gate's output (and, of a
flip-flop, of its input, which toggles as often), the rest is the clock's. It adds the energies of rising and falling
for every toggle, where one toggle is either and later versions average: its internal power is halved here.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flows.calibrate.library import Library
from flows.calibrate.netlist import CLOCK, Netlist
from flows.calibrate.power import Power
from flows.calibrate.simulation import Waves
from flows.verify import design, tools
from hwsim.errors import HwsimError

PERIOD_NS = 100.0
_ROW = re.compile(r"^\s*(\S+)\s+(\S+)\s+\S+\s+\S+\s+(_\d+_)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Comparison:
    """Picojoules per cycle of one stream, ours and OpenSTA's, without what ports drive and the clock's pins."""

    internal_pj: float
    switching_pj: float
    opensta_internal_pj: float
    opensta_switching_pj: float

    @property
    def error(self) -> float:
        """How much more we say, relative."""
        other = self.opensta_internal_pj + self.opensta_switching_pj
        return (self.internal_pj + self.switching_pj) / other - 1


def compare(waves: Waves, power: Power, library: Library, folder: Path) -> Comparison:
    """Return our energy of the first lane beside OpenSTA's; ``folder`` is where `synthesise` left its files.

    Raises
    ------
    MissingToolError
        If OpenSTA is not installed.
    HwsimError
        If it fails, or does not price every gate.
    """
    netlist, cycles = waves.netlist, len(waves.words) - 1
    still, busy = (_energies_pj(netlist, library, folder, activity) for activity in (0, 1))
    rates = dict(zip(netlist.nets, waves.toggles()[:, 0] / cycles, strict=True))
    toggles = np.array([sum(rates[gate.pins[pin]] for pin in gate.cell.outputs if pin in gate.pins)
                        for gate in netlist.gates])  # fmt: skip
    internal, switching = (still + (busy - still) * toggles[:, None]).sum(axis=0)
    ours = (power.internal_pj[0] + power.clock_cell_pj[0]) / cycles, power.switching_pj[0] / cycles
    return Comparison(float(ours[0]), float(ours[1]), float(internal), float(switching))


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
    program = shutil.which("sta")
    if program is None:
        raise tools.MissingToolError("sta", "apt-get install opensta", "calibrate --check")
    done = subprocess.run(  # noqa: S603 (a program found above, with arguments made here)
        [program, "-exit", "power.tcl"], cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    rows = {name: (float(inside), float(outside)) for inside, outside, name in _ROW.findall(done.stdout)}
    missing = [gate.name for gate in netlist.gates if gate.name not in rows]
    if missing:
        raise HwsimError(f"OpenSTA did not price gate {missing[0]}: {' '.join(done.stderr.split())[:200]}")
    power_w = np.array([rows[gate.name] for gate in netlist.gates]) * [0.5, 1.0]
    return power_w * PERIOD_NS * 1e3  # W x ns = nJ
