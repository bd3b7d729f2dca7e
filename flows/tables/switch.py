"""A hop of a network on chip as gates: registered inputs and a five-way switch, per library.

python -m flows.tables.switch LIBRARY=FILE.lib[.gz][,FILE...] ... > hwsim/technology/models/switches.yaml
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml
from amaranth.hdl import Array, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from flows.calibrate import synthesis
from flows.calibrate.library import Library
from flows.calibrate.netlist import Netlist
from flows.calibrate.power import Prices
from flows.calibrate.rounding import rounded
from flows.calibrate.simulation import LANES, Ports, Waves, simulate
from flows.calibrate.timing import analyse
from flows.tables.registers import named_libraries
from hwsim.errors import HwsimError

WAYS, BITS = 5, 32
"""Of a router in a mesh: four neighbours and its own element; bits of a flit."""

CYCLES = 128


class _Switch(wiring.Component):
    """A register per input, which holds unless enabled, and for each output the choice of an input."""

    def __init__(self) -> None:
        super().__init__({
            **{f"enable_{way}": In(1) for way in range(WAYS)}, **{f"data_{way}": In(BITS) for way in range(WAYS)},
            **{f"select_{way}": In(range(WAYS)) for way in range(WAYS)},
            **{f"out_{way}": Out(BITS) for way in range(WAYS)},
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held = Array(Signal(BITS, name=f"held_{way}", reset_less=True) for way in range(WAYS))
        for way in range(WAYS):
            with m.If(getattr(self, f"enable_{way}")):
                m.d.sync += held[way].eq(getattr(self, f"data_{way}"))
            m.d.comb += getattr(self, f"out_{way}").eq(held[getattr(self, f"select_{way}")])
        return m


def measure(library: Library, folder: Path) -> dict[str, float]:
    """Return pJ of a flit at full load (the clock included), of an idle cycle of all inputs, area and delay.

    Every input takes random data and every output a random, other input in each cycle.

    Raises
    ------
    HwsimError
        If the gates do not pass what was put in, or anything fails on the way.
    """
    netlist = synthesis.synthesise(_Switch(), library, folder, synthesis.Recipe())
    prices = Prices(netlist, timing := analyse(netlist), library.voltage_v)

    def energy_pj(busy: int, idle: int) -> float:
        ports = _ports(busy, idle)
        waves = simulate(netlist, ports)
        _check(netlist, ports, waves)
        return float(prices.evaluate(waves).total_pj.sum()) / LANES

    start = energy_pj(CYCLES, CYCLES)
    busy_pj = (energy_pj(2 * CYCLES, CYCLES) - start) / CYCLES
    idle_pj = (energy_pj(CYCLES, 2 * CYCLES) - start) / CYCLES
    return {
        "flit_pj": rounded(busy_pj / WAYS), "idle_pj": rounded(idle_pj), "area_um2": rounded(netlist.area_um2),
        "delay_ns": rounded(timing.delay_ns),
    }  # fmt: skip


def _ports(busy: int, idle: int) -> Ports:
    """Cycles at full load, then idle ones in which inputs and choices stay; equal prefixes are equal streams."""
    draw = np.random.default_rng(1)
    data = draw.integers(0, 1 << BITS, (WAYS, LANES, 2 * CYCLES))
    choice = draw.permuted(np.tile(np.arange(WAYS), (LANES, 2 * CYCLES, 1)), axis=2)
    still = np.minimum(np.arange(busy + idle), busy - 1)
    enable = np.broadcast_to(np.arange(busy + idle) < busy, (LANES, busy + idle)).astype(np.int64)
    ports = {"rst": np.zeros_like(enable)}
    for way in range(WAYS):
        ports[f"enable_{way}"], ports[f"data_{way}"] = enable, data[way][:, still]
        ports[f"select_{way}"] = choice[:, still, way]
    return ports


def _check(netlist: Netlist, ports: Ports, waves: Waves) -> None:
    data = np.stack([ports[f"data_{way}"] for way in range(WAYS)])
    lane, cycle = np.ogrid[:LANES, : data.shape[2] - 1]
    for way in range(WAYS):
        expected = data[ports[f"select_{way}"][:, 1:], lane, cycle]
        if (waves.port(netlist.outputs[f"out_{way}"], signed=False)[:, 1:] != expected).any():
            raise HwsimError(f"gates of the switch do not pass the chosen input to output {way}")


def main() -> None:
    """Print the table."""
    found = {}
    for name, paths in named_libraries(sys.argv[1:]).items():
        library = Library(paths)
        with tempfile.TemporaryDirectory() as folder:
            synthesis.place(library, Path(folder))
            found[name] = measure(library, Path(folder))
    sys.stdout.write(yaml.safe_dump(found, sort_keys=False))


if __name__ == "__main__":
    main()
