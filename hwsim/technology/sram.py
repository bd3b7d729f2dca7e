"""SRAM: energy, time, leakage and area of a scratch RAM with one read/write port, interpolated between CACTI 7 runs."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import hypot, log
from typing import Literal

from hwsim.errors import InputError
from hwsim.technology import macros
from hwsim.technology.coefficient import Coefficient
from hwsim.technology.grid import Place, interpolated
from hwsim.technology.scaling import METHOD, factors, nodes

Cell = Literal["itrs-lop", "itrs-hp"]
Access = Literal["read", "write", ""]

QUANTITIES = ("access_ns", "read_pj", "write_pj", "leakage_mw", "area_mm2")
SOURCE = "CACTI 7, scratch RAM, one read/write port, 360 K"

HELD_OUT = {"access_ns": 0.05, "read_pj": 0.085, "write_pj": 0.07, "leakage_mw": 0.06, "area_mm2": 0.06}
"""Relative error (root mean square) at runs that the model was not given; `tests/technology/test_sram.py` finds it."""

VOLTAGES_V = {
    "itrs-hp": {22: 0.8, 32: 0.9, 45: 1.0, 65: 1.1, 90: 1.2},
    "itrs-lop": {22: 0.6, 32: 0.6, 45: 0.7, 65: 0.8, 90: 0.9},
}
"""Supplies of CACTI's devices."""

MODEL_UNCERTAINTY = 0.5
"""Relative, of CACTI's energies against memories as built: Horowitz's 8 KiB to 1 MiB at 45 nm are 7 to 90 % above
``itrs-hp``, IHP's macros at 130 nm two to five times what follows from 90 nm (docs/memories.md)."""


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
    grids = _grids().get((node_nm, cell))
    if grids is None:
        known = ", ".join(f"{node} nm {kind}" for node, kind in sorted(_grids()))
        raise InputError(f"SRAM must be of {known}", value=f"{node_nm} nm {cell}")
    found = {name: interpolated(grid, size_bytes, width_bits) for name, grid in grids.items()}
    if None in found.values():
        sizes, widths = ({place[axis] for place in grids["read_pj"]} for axis in (0, 1))
        rule = (f"SRAM must be of {min(sizes)} to {max(sizes)} bytes and {min(widths)} to {max(widths)} bits an access,"
                " with runs of CACTI around it")  # fmt: skip
        raise InputError(rule, value=f"{size_bytes} bytes, {width_bits} bits")
    errors = {name: 0.0 if (size_bytes, width_bits) in grids[name] else HELD_OUT[name] for name in QUANTITIES}
    return Sram(**{name: value for name, value in found.items() if value is not None}, uncertainty=errors)


def coefficient(
    size_bytes: int, width_bits: int, access: Access, cell: Cell, node_nm: float, voltage_v: float
) -> Coefficient:
    """Return the energy of an access of the full width as a coefficient; of ``access`` "" the mean of read and write.

    At 130 nm it lies between IHP's macros where it is inside them. At one of CACTI's nodes the memory has CACTI's
    supply; others are scaled from the nearest.

    Raises
    ------
    InputError
        As `sram`.
    """
    if node_nm == macros.NODE_NM and (found := _between_macros(size_bytes, width_bits, access, voltage_v)):
        return found
    return _from_cacti(size_bytes, width_bits, access, cell, node_nm, voltage_v)


def leakage(size_bytes: int, width_bits: int, cell: Cell, node_nm: float) -> Coefficient:
    """Return the power that a memory draws whatever it does, at CACTI's nodes and supplies.

    Raises
    ------
    InputError
        If there are no runs around it, or none at the node.
    """
    if node_nm not in VOLTAGES_V[cell]:
        known = ", ".join(map(str, VOLTAGES_V[cell]))
        raise InputError(f"leakage of SRAM is known at {known} nm", value=node_nm)
    memory = sram(size_bytes, width_bits, int(node_nm), cell)
    return Coefficient(
        value=memory.leakage_mw, unit="mW", format="any", kind="fit",
        uncertainty=hypot(MODEL_UNCERTAINTY, memory.uncertainty["leakage_mw"]),
        uncertainty_basis="that of CACTI's energies against memories as built, the interpolation's error",
        recipe=f"leakage, {size_bytes} bytes, {width_bits} bits an access, {cell}", source=SOURCE,
        conditions=f"{node_nm:g} nm {cell}, {VOLTAGES_V[cell][int(node_nm)]:g} V",
    )  # fmt: skip


def _from_cacti(
    size_bytes: int, width_bits: int, access: Access, cell: Cell, node_nm: float, voltage_v: float
) -> Coefficient:
    supplies = VOLTAGES_V[cell]
    usable = [node for node in supplies if node in (node_nm, *nodes())]
    nearest = min(usable, key=lambda node: abs(log(node / node_nm)))
    memory = sram(size_bytes, width_bits, nearest, cell)
    found = _coefficient(
        memory.read_pj, memory.write_pj, width_bits, access, hypot(MODEL_UNCERTAINTY, memory.uncertainty["read_pj"]),
        uncertainty_basis="CACTI against memories as built, the interpolation's error",
        recipe=f"{size_bytes} bytes, {width_bits} bits an access, {cell}", source=SOURCE,
        conditions=f"{nearest} nm {cell}, {supplies[nearest]:g} V",
    )  # fmt: skip
    if nearest == node_nm:
        return found
    by = factors(nearest, supplies[nearest], node_nm, voltage_v)
    how = f"scaled by {by.energy:.3g} from {nearest} nm, {supplies[nearest]:g} V ({METHOD})"
    scaled = found.scaled(by.energy, by.uncertainty, how)
    return scaled.model_copy(update={"conditions": f"{node_nm:g} nm, {voltage_v:g} V"})


def _between_macros(size_bytes: int, width_bits: int, access: Access, voltage_v: float) -> Coefficient | None:
    one = macros.between(size_bytes * 8 / width_bits, width_bits)
    if one is None:
        return None
    by = factors(macros.NODE_NM, macros.VOLTAGE_V, macros.NODE_NM, voltage_v)
    uncertainty = hypot(macros.HELD_OUT["read_pj"], by.uncertainty if voltage_v != macros.VOLTAGE_V else 0.0)
    return _coefficient(
        one.read_pj * by.energy, one.write_pj * by.energy, width_bits, access, uncertainty,
        uncertainty_basis="IHP's macros left out of the fit; the voltage",
        recipe=f"{size_bytes} bytes, {width_bits} bits an access: a + b words + c bits + d words bits by ten macros",
        source=macros.SOURCE, conditions=f"130 nm, {voltage_v:g} V",
    )  # fmt: skip


def _coefficient(
    read_pj: float, write_pj: float, width_bits: int, access: Access, uncertainty: float, *, uncertainty_basis: str,
    recipe: str, source: str, conditions: str,
) -> Coefficient:  # fmt: skip
    """Read, write or their mean, which adds half of what they differ to the uncertainty."""
    value = {"read": read_pj, "write": write_pj, "": (read_pj + write_pj) / 2}[access]
    half = 0.0 if access else abs(read_pj - write_pj) / (read_pj + write_pj)
    return Coefficient(
        value=value, unit=f"pJ/{width_bits}bit", format="any", uncertainty=hypot(uncertainty, half), kind="fit",
        uncertainty_basis=uncertainty_basis if access else f"{uncertainty_basis}; half of what reads and writes differ",
        recipe=f"{access or 'mean of read and write'}, {recipe}", source=source, conditions=conditions,
    )  # fmt: skip


def runs() -> int:
    """How many runs of CACTI the model holds."""
    return sum(len(grids["read_pj"]) for grids in _grids().values())


@cache
def _grids() -> dict[tuple[int, str], dict[str, dict[Place, float]]]:
    """Runs by node and cell, then quantity, then place; the second file has no leakage."""
    grids: dict[tuple[int, str], dict[str, dict[Place, float]]] = {}
    for file in ("sram-cacti7.csv", "sram-cacti7-between.csv"):
        text = (files("hwsim.technology") / "tables" / file).read_text(encoding="utf-8")
        for row in csv.DictReader(text.splitlines()):
            by_quantity = grids.setdefault((int(row["node_nm"]), row["cell"]), {name: {} for name in QUANTITIES})
            for quantity in QUANTITIES:
                if quantity in row:
                    place = int(row["size_bytes"]), int(row["width_bits"])
                    by_quantity[quantity][place] = float(row[quantity])
    return grids
