"""Synthesis of a ZC706 build without Vivado: what it takes of the part, and a netlist to simulate."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from flows.fpga import bitstream, parts, performance
from flows.fpga.bitstream import Progress, check_fit
from flows.fpga.boards import Board
from flows.fpga.build import Build
from flows.tables.fpga import XILINX_CELLS
from flows.verify import tools
from hwsim.errors import InputError
from hwsim.files import read_mapping

FOLDER, TOP = "netlist", "accelerator_top"
SOURCES = ("top.v", "wrapper.v")
SYNTHESIS = f"synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -top {TOP}"


def make(build: Build, progress: Progress = lambda _: None) -> dict[str, Any]:
    """Make ``netlist/`` in the build directory and return its report.

    Raises
    ------
    InputError
        If the board's netlist comes with its bitstream.
    DoesNotFitError
        By how much, and what to change.
    MissingToolError, ToolError
        If yosys is not installed, or fails.
    """
    check_board(build.board)
    with parts.made(build.folder, FOLDER) as folder:
        for name in SOURCES:
            shutil.copy(build.folder / name, folder)
        progress("synthesis")
        used = synthesise(folder)
        check_fit(used, build.board.available)
        report: dict[str, Any] = {
            "schema": "hwsim/fpga-netlist/1", "build": build.digest, "board": build.board.name,
            "constraint_mhz": build.board.clock_mhz,
            "resources": {name: {"used": n, "available": build.board.available[name]} for name, n in used.items()},
            "tools": {"yosys": bitstream.version("yosys")},
        }  # fmt: skip
        if build.bundle is not None:
            report["image"] = performance.of_image(build.board, build.bundle, build.store)
        return parts.finish(folder, report, ["netlist.v"], ["synthesis.log"])


def check_board(board: Board) -> None:
    """Raise if a netlist of the board alone cannot be made here.

    Raises
    ------
    InputError
        If the board's netlist comes with its bitstream.
    MissingToolError
        If yosys is not installed.
    """
    if board.toolchain is not None:
        raise InputError("must be absent: --bitstream makes the netlist of this board", field="--netlist")
    tools.find(bitstream.program("yosys"))


def synthesise(folder: Path) -> dict[str, int]:
    """Write ``netlist.v`` beside the sources in a folder, and return LUT, FF, DSP and BRAM."""
    script = (
        f"read_verilog {' '.join(SOURCES)}; {SYNTHESIS}; tee -q -o cells.json stat -json; "
        "write_verilog -noattr netlist.v"
    )
    bitstream.run(("yosys", "-q", "-p", script), folder, "synthesis.log")
    found = Counter(read_mapping(folder / "cells.json")["design"]["num_cells_by_type"])
    return {name: sum(found[cell] * n for cell, n in cells.items()) for name, cells in XILINX_CELLS.items()}


def complete(build: Build) -> Path:
    """Return the folder of the build's netlist.

    Raises
    ------
    InputError
        If there is none, or it is not of this build.
    """
    return parts.complete(build.folder, FOLDER, build.digest)
