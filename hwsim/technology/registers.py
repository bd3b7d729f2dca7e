"""Register files of flip-flops: our own RTL as gates, interpolated between the sizes that were measured."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import RootModel

from hwsim.errors import InputError
from hwsim.files import Frozen, read_model
from hwsim.technology.circuit import NotNegative, Positive
from hwsim.technology.coefficient import Coefficient
from hwsim.technology.grid import interpolated

Use = Literal["read", "write", "hold", "access"]

UNCERTAINTY = 0.25
"""Relative: interpolation (`tests/flows/tables/test_registers.py`), and operands other than uniform ones."""


class RegisterFile(Frozen):
    """Energy of a read and a write beyond holding, of holding for a cycle (the clock's pins); area, leakage, delay."""

    read_pj: Positive
    write_pj: Positive
    hold_pj: Positive
    area_um2: Positive
    leakage_nw: NotNegative
    delay_ns: Positive


class _Libraries(RootModel[dict[str, dict[str, RegisterFile]]]):
    """By library, then words x bits."""


@cache
def register_files() -> dict[str, dict[str, RegisterFile]]:
    """Return what was measured, by library and ``words x bits``."""
    return read_model(Path(str(files("hwsim.technology") / "models" / "registers.yaml")), _Libraries).root


def register_file(library: str, words: int, bits: int) -> RegisterFile:
    """Return a register file of any size between those measured.

    Raises
    ------
    InputError
        If the library or the size was not measured.
    """
    if library not in register_files():
        raise InputError(f"register files are known in {', '.join(register_files())}", value=library)
    measured = register_files()[library]
    figures = {}
    for name in RegisterFile.model_fields:
        grid = {(int(w), int(b)): getattr(one, name) for size, one in measured.items() for w, b in [size.split("x")]}
        figures[name] = interpolated(grid, words, bits)
    if None in figures.values():
        sizes = list(measured)
        raise InputError(f"register file must lie between {sizes[0]} and {sizes[-1]}", value=f"{words}x{bits}")
    return RegisterFile.model_validate(figures)


def registers(library: str, words: int, bits: int, use: Use) -> Coefficient:
    """Return the energy of using a register file of ``words`` words of ``bits`` bits.

    ``access`` is a read and the clock of one cycle: what it costs where every cycle reads. ``hold`` is the clock alone.

    Raises
    ------
    InputError
        As `register_file`.
    """
    one = register_file(library, words, bits)
    value = one.read_pj + one.hold_pj if use == "access" else getattr(one, f"{use}_pj")
    meaning = {"read": "read beyond holding", "write": "write beyond holding", "hold": "clock of a cycle",
               "access": "read and the clock of a cycle"}[use]  # fmt: skip
    return Coefficient(
        value=value, unit="pJ/cycle" if use == "hold" else f"pJ/{bits}bit", format="any", uncertainty=UNCERTAINTY,
        uncertainty_basis="interpolation, other than uniform operands; no wires, no clock tree or gating", kind="rtl",
        recipe=f"flip-flops with enables and a read multiplexer, {words} words of {bits} bits, uniform: {meaning}",
        source=f"this project's RTL (flows.tables.registers) in {library}",
    )  # fmt: skip
