"""Per-layer figures measured on a chip, read from a CSV file."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hwsim.errors import InputError

MEASURED = {
    "power": "Power (mW)",
    "processing_latency": "Processing Latency (ms)",
    "glb_bytes": "Global Buffer Accesses (MB)",
    "dram_bytes": "DRAM Accesses (MB)",
}
"""Header of every column that a prediction is compared with."""
SCALE = {"power": 1e-3, "processing_latency": 1e-3, "glb_bytes": 1e6, "dram_bytes": 1e6}
"""From the file's units to watts, seconds and bytes."""
LAYER, ZEROS = "Layer", "Zeros in Ifmaps"


@dataclass(frozen=True)
class LayerFigures:
    """What was measured in one layer, in watts, seconds and bytes; cells left empty are absent."""

    name: str
    measured: dict[str, float]
    zeros: float
    """Share of zeros in the layer's input."""


def read_figures(path: Path | str) -> tuple[LayerFigures, ...]:
    """Read a table with a row per layer; a row called Total is passed over.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column, or holds a cell that is no number.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            table = [[cell.strip() for cell in row] for row in csv.reader(stream, strict=True) if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot be read as CSV: {error}", file=path) from error
    header = table[0] if table else []
    for column in (LAYER, *MEASURED.values(), ZEROS):
        if column not in header:
            raise InputError("column is required", file=path, field=column)
    rows = [_row(path, header, cells) for cells in table[1:] if cells[header.index(LAYER)].lower() != "total"]
    if not rows:
        raise InputError("must have a row for at least one layer", file=path)
    return tuple(rows)


def _row(path: Path | str, header: Sequence[str], cells: Sequence[str]) -> LayerFigures:
    if len(cells) != len(header):
        raise InputError(f"must have {len(header)} cells", file=path, field=cells[0], value=len(cells))
    row = dict(zip(header, cells, strict=True))
    name = row[LAYER]
    measured = {
        key: _number(path, name, column, row[column]) * SCALE[key] for key, column in MEASURED.items() if row[column]
    }
    for key, value in measured.items():
        if value <= 0:
            raise InputError("must be positive", file=path, field=f"{name}, {MEASURED[key]}", value=value)
    return LayerFigures(name, measured, _share(path, name, row[ZEROS]))


def _share(path: Path | str, layer: str, text: str) -> float:
    scale = 0.01 if text.endswith("%") else 1.0
    share = _number(path, layer, ZEROS, text.removesuffix("%")) * scale
    if not 0 <= share < 1:
        raise InputError("must be at least 0 and below 100 %", file=path, field=f"{layer}, {ZEROS}", value=text)
    return share


def _number(path: Path | str, layer: str, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError("must be a number", file=path, field=f"{layer}, {column}", value=text)
    return value
