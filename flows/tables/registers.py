"""Register files of flip-flops as gates: what reading, writing and holding cost, per library.

python -m flows.tables.registers LIBRARY=FILE.lib[.gz][,FILE...] ... > hwsim/technology/models/registers.yaml
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from amaranth.hdl import Array, Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for
from numpy.typing import NDArray

from flows.calibrate import synthesis
from flows.calibrate.library import Library
from flows.calibrate.netlist import Netlist
from flows.calibrate.power import Prices
from flows.calibrate.rounding import rounded
from flows.calibrate.simulation import LANES, simulate
from flows.calibrate.timing import analyse
from hwsim.errors import HwsimError

WORDS, BITS = (4, 16, 64), (8, 32)
CYCLES = 64
"""Of each of the parts that measurements subtract from each other."""

Ports = dict[str, NDArray[Any]]


class _RegisterFile(wiring.Component):
    """Words of flip-flops that hold unless written; one write port, one read port without a register."""

    def __init__(self, words: int, bits: int) -> None:
        self.words, self.bits = words, bits
        address = unsigned(bits_for(words - 1))
        super().__init__({
            "enable": In(1), "write_address": In(address), "write_data": In(bits), "read_address": In(address),
            "read_data": Out(bits),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = Array(Signal(self.bits, name=f"word{k}", reset_less=True) for k in range(self.words))
        with m.If(self.enable):
            m.d.sync += words[self.write_address].eq(self.write_data)
        m.d.comb += self.read_data.eq(words[self.read_address])
        return m


def measure(words: int, bits: int, library: Library, folder: Path) -> dict[str, float]:
    """Return energies in pJ of a read and a write beyond holding, of holding for a cycle, area, leakage and delay.

    All on uniform data and addresses. Each figure is a difference of two runs, so that what fills the registers
    cancels.

    Raises
    ------
    HwsimError
        If the gates do not read what was written, or anything fails on the way.
    """
    netlist = synthesis.synthesise(_RegisterFile(words, bits), library, folder, synthesis.Recipe())
    prices = Prices(netlist, timing := analyse(netlist), library.voltage_v)

    def energy_pj(writes: int, holds: int, reads: int) -> float:
        ports = _ports(words, bits, writes, holds, reads)
        waves = simulate(netlist, ports)
        _check(netlist, ports, waves.port(netlist.outputs["read_data"], signed=False), words)
        return float(prices.evaluate(waves).total_pj.sum()) / LANES

    filled = energy_pj(2 * CYCLES, CYCLES, 0)
    hold_pj = (energy_pj(2 * CYCLES, 2 * CYCLES, 0) - filled) / CYCLES
    read_pj = (energy_pj(2 * CYCLES, CYCLES, CYCLES) - filled) / CYCLES - hold_pj
    write_pj = (energy_pj(3 * CYCLES, CYCLES, 0) - filled) / CYCLES - hold_pj
    figures = {
        "read_pj": read_pj, "write_pj": write_pj, "hold_pj": hold_pj, "area_um2": netlist.area_um2,
        "leakage_nw": netlist.leakage_nw, "delay_ns": timing.delay_ns,
    }  # fmt: skip
    return {name: rounded(value) for name, value in figures.items()}


def _ports(words: int, bits: int, writes: int, holds: int, reads: int) -> Ports:
    """Cycles that write at random, then hold, then read at random; equal prefixes are equal streams."""
    cycles = 4 * CYCLES
    draw = np.random.default_rng(1)
    write_address, read_address = draw.integers(0, words, (2, LANES, cycles))
    data = draw.integers(0, 1 << bits, (LANES, cycles))
    length = writes + holds + reads
    enable = np.zeros((LANES, length), np.int64)
    enable[:, :writes] = 1
    still = np.minimum(np.arange(length), writes - 1)  # address and data of the last write
    read = np.zeros((LANES, length), np.int64)
    read[:, writes + holds :] = read_address[:, :reads]
    return {
        "enable": enable, "write_address": write_address[:, still], "write_data": data[:, still], "read_address": read,
        "rst": np.zeros_like(enable),
    }  # fmt: skip


def _check(netlist: Netlist, ports: Ports, shown: NDArray[Any], words: int) -> None:
    held = np.zeros((LANES, words), np.int64)
    lane = np.arange(LANES)
    for cycle in range(shown.shape[1]):
        if (shown[:, cycle] != held[lane, ports["read_address"][:, cycle]]).any():
            raise HwsimError(f"gates of a register file of {words} words read what was not written")
        written = lane[ports["enable"][:, cycle] == 1]
        held[written, ports["write_address"][written, cycle]] = ports["write_data"][written, cycle]


def table(libraries: dict[str, list[Path]]) -> dict[str, dict[str, dict[str, float]]]:
    """Return the figures of every size in every library."""
    found = {}
    for name, paths in libraries.items():
        library = Library(paths)
        with tempfile.TemporaryDirectory() as folder:
            synthesis.place(library, Path(folder))
            found[name] = {f"{w}x{b}": measure(w, b, library, Path(folder)) for w in WORDS for b in BITS}
    return found


def named_libraries(arguments: list[str]) -> dict[str, list[Path]]:
    """Return the files of each library from arguments such as ``osu018=a.lib,b.lib``."""
    named = (argument.partition("=") for argument in arguments)
    return {name: [Path(path) for path in paths.split(",")] for name, _, paths in named}


def main() -> None:
    """Print the table."""
    sys.stdout.write(yaml.safe_dump(table(named_libraries(sys.argv[1:])), sort_keys=False))


if __name__ == "__main__":
    main()
