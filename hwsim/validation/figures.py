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
    "total_latency": "Total Latency (ms)",
    "processing_latency": "Processing Latency (ms)",
    "glb_bytes": "Global Buffer Accesses (MB)",
    "dram_bytes": "DRAM Accesses (MB)",
}
"""Header of every column that a prediction is compared with."""
SCALE = {"power": 1e-3, "total_latency": 1e-3, "processing_latency": 1e-3, "glb_bytes": 1e6, "dram_bytes": 1e6}
"""From the file's units to watts, seconds and bytes."""
LAYER, ZEROS, MACS = "Layer", "Zeros in Ifmaps", "Num. of MACs (G)"
OF_ZEROS = ("power", "total_latency", "dram_bytes")
"""Columns that cannot be predicted without the shares of zeros: zeros are gated, and compressed outside the chip."""


@dataclass(frozen=True)
class LayerFigures:
    """What was measured in one layer, in watts, seconds and bytes; what was not measured is absent."""

    name: str
    measured: dict[str, float]
    zeros: float | None
    """Share of zeros in the layer's input; None if the table has none."""
    macs: float | None
    """Multiply-accumulates; None if the table has none."""


def read_figures(path: Path | str) -> tuple[LayerFigures, ...]:
    """Read a table with a row per layer and any of the columns `MEASURED`; a row called Total is passed over.

    Cells may be empty. The column ``Zeros in Ifmaps`` may be absent if none of `OF_ZEROS` is there.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column, has a column or layer twice, or holds a cell that is no number.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            table = [[cell.strip() for cell in row] for row in csv.reader(stream, strict=True)]
    except OSError as error:
        raise InputError(f"cannot be read: {(error.strerror or str(error)).lower()}", file=path) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot be read as CSV: {error}", file=path) from error
    table = [row for row in table if any(row)]
    header = table[0] if table else []
    _check_header(path, header)
    rows = [_row(path, header, cells) for cells in table[1:] if "total" not in (cell.lower() for cell in cells)]
    if not rows:
        raise InputError("must have a row for at least one layer", file=path)
    _check_once(path, "layer", [row.name for row in rows])
    return tuple(rows)


def _check_header(path: Path | str, header: Sequence[str]) -> None:
    measured = [column for column in MEASURED.values() if column in header]
    if LAYER not in header:
        raise InputError("column is required", file=path, field=LAYER)
    if not measured:
        raise InputError(f"must have at least one of the columns {', '.join(MEASURED.values())}", file=path)
    needing = [MEASURED[key] for key in OF_ZEROS if MEASURED[key] in measured]
    if needing and ZEROS not in header:
        raise InputError(f"column is required to predict {needing[0]}", file=path, field=ZEROS)
    _check_once(path, "column", [column for column in header if column])


def _check_once(path: Path | str, what: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{what} must appear once", file=path, field=name, value=names.count(name))


def _row(path: Path | str, header: Sequence[str], cells: Sequence[str]) -> LayerFigures:
    if len(cells) != len(header):
        raise InputError(f"must have {len(header)} cells", file=path, field=cells[0], value=len(cells))
    row = dict(zip(header, cells, strict=True))
    name = row[LAYER]
    measured = {
        key: _positive(path, f"{name}, {column}", row[column]) * SCALE[key]
        for key, column in MEASURED.items()
        if row.get(column)
    }
    zeros = _share(path, f"{name}, {ZEROS}", row[ZEROS]) if ZEROS in row else None
    macs = _positive(path, f"{name}, {MACS}", row[MACS]) * 1e9 if row.get(MACS) else None
    return LayerFigures(name, measured, zeros, macs)


def _positive(path: Path | str, field: str, text: str) -> float:
    value = _number(path, field, text)
    if value <= 0:
        raise InputError("must be positive", file=path, field=field, value=text)
    return value


def _share(path: Path | str, field: str, text: str) -> float:
    scale = 0.01 if text.endswith("%") else 1.0
    share = _number(path, field, text.removesuffix("%")) * scale
    if not 0 <= share < 1:
        raise InputError("must be at least 0 and below 100 %", file=path, field=field, value=text)
    return share


def _number(path: Path | str, field: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError("must be a number", file=path, field=field, value=text)
    return value
