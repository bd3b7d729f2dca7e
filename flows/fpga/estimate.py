"""Resources and clock of a build without mapping, placing or routing its logic.

The first half of synthesis (seconds) turns the design into words of registers, adders, multiplexers and so on; block
memories and multipliers are then already those of the part. What the rest takes is estimated from the bits of each
kind of cell, with coefficients of ``coefficients.yaml``, which says what they were fitted to.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from flows.compile.bundle import Bundle
from flows.fpga import bitstream, memory, netlist
from flows.fpga.boards import Board
from flows.fpga.build import sources
from flows.fpga.memory import Kind, Store
from hwsim.errors import InputError
from hwsim.files import Frozen, read_mapping, write_text
from rtl.accelerator import Accelerator

COEFFICIENTS = Path(__file__).with_name("coefficients.yaml")
CELL = re.compile(r"\$(_?[a-z]\w*?)_(\d+)(?:_(\d+))?$")
KINDS = {
    "alu": ("alu",), "select": ("mux", "pmux", "bmux", "demux"), "gate": ("and", "or", "xor", "not"),
    "compare": ("eq", "ne", "reduce_and", "reduce_or", "reduce_bool", "logic_not", "logic_and", "logic_or"),
}  # fmt: skip

EXACT, ERROR = ("dsp", "bram"), 0.1
"""Resources that the estimate knows, and the error that the others are granted before a build is refused: docs/fpga.md
has none above 9.3 %."""


class Coefficients(Frozen):
    """Of one family of FPGAs.

    Attributes
    ----------
    lut, constant
        LUTs per bit of each kind of cell of `KINDS`, per FF, and per gate (``$_AND_``); and those that every design
        has. iCE40: cells.
    cells
        Which mapped cells are block memories (``bram``), multipliers (``dsp``) and so on, and how many.
    fmax_mhz
        Of the designs that were placed with a memory of each kind: a first guess for others.
    source
        What the coefficients were fitted to.
    """

    lut: dict[str, float]
    constant: float = 0.0
    cells: dict[str, dict[str, int]]
    fmax_mhz: dict[Kind, float] = {}
    source: str


@cache
def coefficients(board: str) -> Coefficients:
    """Return those of a board.

    Raises
    ------
    InputError
        If there are none.
    """
    table = read_mapping(COEFFICIENTS)
    if board not in table:
        raise InputError(f"must be one of {', '.join(table)}: no build of another was measured", value=board)
    return Coefficients.model_validate(table[board])


def estimate(board: Board, accelerator: Accelerator, store: Store, bundle: Bundle | None = None) -> dict[str, Any]:
    """Return ``resources``, each used and available, and ``fmax_mhz``, None where no such placement was measured.

    Raises
    ------
    MissingToolError
        If yosys is not installed.
    """
    own = coefficients(board.name)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in sources(board, accelerator, store, bundle).items():
            if file.endswith(".v"):
                write_text(folder / file, text)
        used = resources(count(folder, board), own)
    available = board.available
    return {
        "resources": {kind: {"used": n, "available": available.get(kind)} for kind, n in used.items()},
        "fmax_mhz": own.fmax_mhz.get(store.kind),
    }


def count(folder: Path, board: Board) -> Counter[str]:
    """Return the bits of cells by kind after the first half of the synthesis of a build's Verilog in a folder.

    On 7-series all is mapped but LUTs: what these hold is counted in gates with two inputs.
    """
    if board.toolchain is None:
        read = f"read_verilog {' '.join(netlist.SOURCES)}"
        half = f"{netlist.SYNTHESIS} -run begin:map_luts; aigmap; opt_merge"
    else:
        read = "read_verilog top.v"
        half = f"{board.toolchain.synthesis} -top top -run begin:map_gates; splitcells"
    script = f"{read}; {half}; opt_clean; tee -q -o cells.json stat -json -width"
    bitstream.run(("yosys", "-q", "-p", script), folder, "yosys.log")
    return bits_by_kind(read_mapping(folder / "cells.json")["design"]["num_cells_by_type"])


def bits_by_kind(cells: Mapping[str, int]) -> Counter[str]:
    """Return the bits of the cells that yosys counts, with the width in their names; mapped cells count as one."""
    bits: Counter[str] = Counter()
    for name, number in cells.items():
        found = CELL.match(name)
        if found is None:
            bits[name] += number
            continue
        kind, size = found[1], number * int(found[2]) * int(found[3] or 1)
        if "dff" in kind:
            bits["ff"] += size
        for group, members in KINDS.items():
            if kind in members:
                bits[group] += size
    return bits


def resources(bits: Mapping[str, int], own: Coefficients) -> dict[str, int]:
    """Return LUT, FF, DSP and BRAM of bits by kind."""
    known = mapped(bits, own)
    lut = round(own.constant + logic(bits, own)) + known.get("lut", 0)
    return {"lut": 0, "ff": bits.get("ff", 0)} | known | {"lut": lut}


def mapped(bits: Mapping[str, int], own: Coefficients) -> dict[str, int]:
    """Return what the cells take that are already of the part, by resource."""
    return {resource: sum(bits.get(cell, 0) * n for cell, n in cells.items()) for resource, cells in own.cells.items()}


def logic(bits: Mapping[str, int], own: Coefficients) -> float:
    """Return the LUTs of what is not mapped yet, without the constant."""
    return sum(own.lut.get(kind, 0.0) * size for kind, size in bits.items())


def check(board: Board, accelerator: Accelerator, store: Store, bundle: Bundle | None) -> None:
    """Raise if the design cannot fit, whatever the tools do: its memories are larger than all blocks of the part.

    Raises
    ------
    InputError
        With the bits that there are.
    """
    bits = memory.block_bits(accelerator, bundle if store.kind == "block" else None)
    limit = board.block_bits
    if sum(bits.values()) > limit:
        largest = max(bits, key=lambda name: bits[name])
        raise InputError(
            f"must have memories of at most {limit} bits unless --force is given ({largest} takes {bits[largest]})",
            field=board.name, value=sum(bits.values()),
        )  # fmt: skip


def check_bitstream(board: Board, accelerator: Accelerator, store: Store, bundle: Bundle | None) -> None:
    """Raise if the estimate, less its error, says that no bitstream can hold the design.

    Raises
    ------
    DoesNotFitError
        By how much, and what to change.
    """
    found = estimate(board, accelerator, store, bundle)["resources"]
    least = {name: one["used"] if name in EXACT else int(one["used"] / (1 + ERROR)) for name, one in found.items()}
    try:
        bitstream.check_fit(least, board.available)
    except bitstream.DoesNotFitError as error:
        message = f"before synthesis, by estimate: {error}; --force builds nevertheless"
        raise bitstream.DoesNotFitError(message) from None
