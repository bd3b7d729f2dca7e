"""SRAM: energy, time, leakage and area of a scratch RAM with one read/write port, interpolated between CACTI 7 runs."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import exp, log, log2

from hwsim.errors import InputError

QUANTITIES = ("access_ns", "read_pj", "write_pj", "leakage_mw", "area_mm2")
SOURCE = "CACTI 7, scratch RAM, one read/write port, 360 K"


@dataclass(frozen=True)
class Sram:
    """One memory.

    Attributes
    ----------
    access_ns, read_pj, write_pj, leakage_mw, area_mm2
        Time and energy of an access of the full width, leakage, and area.
    uncertainty
        Per quantity, the relative error (root mean square) of the interpolation at runs it was not given; 0 at a run.
    """

    access_ns: float
    read_pj: float
    write_pj: float
    leakage_mw: float
    area_mm2: float
    uncertainty: dict[str, float]


_Point = tuple[float, ...]
_Grid = dict[tuple[int, int], _Point]


def sram(size_bytes: float, width_bits: float, node_nm: int = 45, cell: str = "itrs-lop") -> Sram:
    """Return a memory of any size and width inside the runs, linear in logarithms between its neighbours.

    Parameters
    ----------
    size_bytes
        Capacity, 512 B to 8 MiB.
    width_bits
        Bits of an access, 8 to 256.
    node_nm
        22, 32, 45, 65 or 90: energies do not follow a law between nodes.
    cell
        ``itrs-lop`` (low operating power) or ``itrs-hp`` (fast).

    Raises
    ------
    InputError
        If there are no runs around it.
    """
    grid = _grids().get((node_nm, cell))
    if grid is None:
        known = ", ".join(f"{node} nm {kind}" for node, kind in sorted(_grids()))
        raise InputError(f"SRAM must be of {known}", value=f"{node_nm} nm {cell}")
    x, y = log2(max(size_bytes, 1)), log2(max(width_bits, 1))
    corners = _corners(grid, x, y)
    if corners is None:
        sizes, widths = sorted({size for size, _ in grid}), sorted({width for _, width in grid})
        rule = (f"SRAM must be of {sizes[0]} to {sizes[-1]} bytes and {widths[0]} to {widths[-1]} bits an access,"
                " with runs of CACTI around it")  # fmt: skip
        raise InputError(rule, value=f"{size_bytes} bytes, {width_bits} bits")
    logs = [sum(weight * log(point[i]) for point, weight in corners) for i in range(len(QUANTITIES))]
    errors = dict.fromkeys(QUANTITIES, 0.0) if len(corners) == 1 else held_out_errors()
    return Sram(**dict(zip(QUANTITIES, map(exp, logs), strict=True)), uncertainty=errors)


def _corners(grid: _Grid, x: float, y: float) -> list[tuple[_Point, float]] | None:
    """Return the runs around a place with their weights; None if one is missing."""
    found = []
    for size, share in _between(x):
        for width, part in _between(y):
            point = grid.get((1 << size, 1 << width))
            if point is None:
                return None
            found.append((point, share * part))
    return found


def _between(x: float) -> list[tuple[int, float]]:
    low = int(x)
    return [(low, 1.0)] if x == low else [(low, low + 1 - x), (low + 1, x - low)]


@cache
def held_out_errors() -> dict[str, float]:
    """Return the root mean square error, relative, at every run between two others, were it left out.

    The neighbours are then twice as far apart, in size or in width, as when the model is used.
    """
    squares: list[list[float]] = []
    for grid in _grids().values():
        for (size, width), point in grid.items():
            for pair in (((size // 2, width), (size * 2, width)), ((size, width // 2), (size, width * 2))):
                if pair[0] in grid and pair[1] in grid:
                    below, above = (grid[key] for key in pair)
                    guesses = [(a * b) ** 0.5 for a, b in zip(below, above, strict=True)]
                    squares.append([(guess / true - 1) ** 2 for guess, true in zip(guesses, point, strict=True)])
    means = [sum(column) / len(column) for column in zip(*squares, strict=True)]
    return dict(zip(QUANTITIES, (mean**0.5 for mean in means), strict=True))


@cache
def _grids() -> dict[tuple[int, str], _Grid]:
    grids: dict[tuple[int, str], _Grid] = {}
    text = (files("hwsim.technology") / "tables" / "sram-cacti7.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        grid = grids.setdefault((int(row["node_nm"]), row["cell"]), {})
        grid[int(row["size_bytes"]), int(row["width_bits"])] = tuple(float(row[name]) for name in QUANTITIES)
    return grids
