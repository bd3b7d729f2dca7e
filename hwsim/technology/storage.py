"""What a bit costs in the storage of our systolic arrays: in lines of registers, and in buffers of results."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import RootModel

from hwsim.errors import InputError
from hwsim.files import Frozen, read_model
from hwsim.technology.circuit import EnergyModel
from hwsim.technology.coefficient import Coefficient

CLOCKED, STORED = "clocked bits", "stored toggles"
OFFERED, ENABLED = "offered toggles", "bits with a new enable"
WRITTEN, SELECTED = "written bits x words", "stored toggles x words"
RATES = {
    "line": {"clocked": CLOCKED, "stored": STORED, "offered": OFFERED, "enabled": ENABLED},
    "queue": {"clocked": CLOCKED, "stored": STORED, "written": WRITTEN, "selected": SELECTED},
}
"""What is counted of each part, by the last word of a coefficient's key."""


@dataclass(frozen=True)
class Moves:
    """Bits that change in lines, or in a buffer.

    Attributes
    ----------
    stored
        In registers, and in front of them.
    enabled
        Of registers of lines whose enable changes.
    written
        Written to a buffer, changed or not.
    """

    stored: float = 0
    enabled: float = 0
    written: float = 0

    def __add__(self, other: Moves) -> Moves:
        return Moves(self.stored + other.stored, self.enabled + other.enabled, self.written + other.written)


class Storage(Frozen):
    """Models of registers in a row that take a word where they are enabled, and of first-in first-out buffers.

    A cycle is an operation. A buffer's words are written and read through multiplexers of all its words, so two of its
    rates are products with their number: the model is of buffers of any size.
    """

    line: EnergyModel
    queue: EnergyModel


class _Libraries(RootModel[dict[str, Storage]]):
    """By library."""


@cache
def measured() -> dict[str, Storage]:
    """Return the models by library."""
    return read_model(Path(str(files("hwsim.technology") / "models" / "storage.yaml")), _Libraries).root


def storage(library: str, part: Literal["line", "queue"], use: str) -> Coefficient:
    """Return what a bit costs that is clocked, stored, and so on (`RATES`).

    Raises
    ------
    InputError
        If the library was not measured, or nothing of this kind is counted.
    """
    if library not in measured():
        raise InputError(f"registers of arrays are known in {', '.join(measured())}", value=library)
    if use not in RATES[part]:
        raise InputError(f"must be {part}. and one of {', '.join(RATES[part])}", value=f"{part}.{use}")
    model: EnergyModel = getattr(measured()[library], part)
    name = RATES[part][use]
    return Coefficient(
        value=next((rate.energy_pj for rate in model.rates if rate.name == name), 0.0),  # of none, nothing is charged
        unit="pJ/cycle" if use == "clocked" else "pJ/1bit", format="any", kind="fit",
        uncertainty=max(model.residual, *(one.max_error for one in model.held_out)),
        uncertainty_basis="largest error of the model on streams and sizes that it was not fitted to; no wires",
        recipe=f"{name}: a rate of the model of {'lines of registers' if part == 'line' else 'result buffers'}",
        source=f"this project's RTL (flows.tables.storage) in {library}",
    )  # fmt: skip
