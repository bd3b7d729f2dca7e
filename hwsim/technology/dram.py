"""External memories: energy of a bit by the memory's standard, from publications."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import RootModel

from hwsim.errors import HwsimError
from hwsim.files import read_model
from hwsim.technology.coefficient import Coefficient


class _Standards(RootModel[dict[str, Coefficient]]):
    """Coefficients by family of standards, in lower case."""


@cache
def drams() -> dict[str, Coefficient]:
    """Return the energy of moving a bit, by family of standards (``lpddr4``)."""
    return read_model(Path(str(files("hwsim.technology") / "models" / "dram.yaml")), _Standards).root


def dram(family: str) -> Coefficient:
    """Return the energy of moving a bit to or from a memory of this family.

    Raises
    ------
    HwsimError
        If nothing is known of it.
    """
    if family.lower() not in drams():
        raise HwsimError(f"no published energy of {family} is known, only of {', '.join(drams())}")
    return drams()[family.lower()]
