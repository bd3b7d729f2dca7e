"""Where each operand of a PE enters an array: with its row, with its column, or once for all PEs."""

from __future__ import annotations

from typing import Literal

from hwsim.errors import InputError
from rtl.pe.element import ProcessingElement

Side = Literal["rows", "columns", "common"]

SIDES: dict[str, Side] = {
    "x": "rows",
    "w": "columns",
    "g": "columns",
    "signs": "columns",
    "keep": "columns",
    "seed": "columns",
    "reseed": "common",
    "mode": "common",
    "x_mode": "common",
    "w_mode": "common",
    "precision": "common",  # it sets when a PE is ready again, so all PEs must have the same
    "rest": "common",
    "threshold": "common",
}
"""The side of every operand; lane ``x_3`` of an operand goes where ``x`` goes."""


def operands(pe: ProcessingElement, side: Side) -> dict[str, str]:
    """Return the PE's operands on one side, each with its format.

    Raises
    ------
    InputError
        If nobody has said where one of the PE's operands enters.
    """
    return {name: form for name, form in pe.operands.items() if _side(pe, name) == side}


def _side(pe: ProcessingElement, name: str) -> Side:
    stem, _, lane = name.rpartition("_")
    known = SIDES.get(stem if lane.isdigit() else name)
    if known is None:
        raise InputError("operand must have a side in rtl.array.sides", field=f"{pe.key}.{name}", value=name)
    return known
