"""Technology tables: coefficients with unit, format, node, recipe, uncertainty and source."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from hwsim.errors import HwsimError, InputError
from hwsim.files import Frozen, read_model
from hwsim.technology.circuit import ArrayCheck, Circuit, Provenance
from hwsim.workload.operator import FormatName

_PICOJOULES = {"fJ": 1e-3, "pJ": 1.0, "nJ": 1e3}
_PICOWATTS = {"uW": 1e6, "mW": 1e9, "W": 1e12}
_TABLES = Path(str(files("hwsim.technology") / "tables"))


class Coefficient(Frozen):
    """One energy with everything needed to judge it.

    Node and voltage are those of the technology table that holds it.
    """

    value: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    unit: Annotated[str, Field(pattern=r"^((fJ|pJ|nJ)/(op|cycle|[1-9][0-9]*bit)|uW|mW|W)$")]
    """``pJ/op`` of an operation; ``pJ/16bit`` of an access that moves 16 bits; ``pJ/cycle`` of a clock; ``mW`` of
    leakage."""
    format: FormatName | Literal["any"]
    uncertainty: Annotated[float, Field(ge=0, le=10)]
    """Relative standard uncertainty (0.3 is 30 %)."""
    uncertainty_basis: str
    kind: Literal["rtl", "library", "paper", "fit"]
    recipe: str
    """How the value was obtained."""
    source: str = Field(min_length=1)

    @property
    def is_access(self) -> bool:
        """Whether it prices moving bits instead of an operation."""
        return self.unit.endswith("bit")

    @property
    def is_standing(self) -> bool:
        """Whether it is paid over time."""
        return self.unit in _PICOWATTS or self.is_per_cycle

    @property
    def is_per_cycle(self) -> bool:
        """Whether it is paid in every clock cycle."""
        return self.unit.endswith("cycle")

    def energy_pj(self, bits: float = 0) -> float:
        """Energy of one operation, cycle or second, or of one access that moves ``bits`` bits, in picojoules.

        Raises
        ------
        HwsimError
            If it is a power and an access is asked for.
        """
        if bits and self.is_standing:
            raise HwsimError(f"a coefficient in {self.unit} is paid over time and prices no access")
        if self.unit in _PICOWATTS:
            return self.value * _PICOWATTS[self.unit]
        energy, per = self.unit.split("/")
        scale = bits / int(per.removesuffix("bit")) if self.is_access else 1.0
        return self.value * _PICOJOULES[energy] * scale


class Technology(Frozen):
    """A table of coefficients of one node and voltage."""

    schema_: Literal["hwsim/technology/1"] = Field(alias="schema")
    name: str
    title: str
    node_nm: Annotated[float, Field(gt=0)]
    voltage_v: Annotated[float, Field(gt=0)]
    coefficients: dict[str, Coefficient]
    provenance: Provenance | None = None
    """Of a table that `hwsim calibrate` wrote."""
    circuits: dict[str, Circuit] = {}
    """Whole PEs and bare operators as gates, by name."""
    arrays: list[ArrayCheck] = []
    """Arrays of these PEs that were predicted and compared with their gates."""

    @model_validator(mode="after")
    def _circuits_have_a_source(self) -> Technology:
        if self.circuits and self.provenance is None:
            raise ValueError("circuits need a provenance")
        return self

    def coefficient(self, key: str) -> Coefficient:
        """Return the coefficient ``key`` (``mult.fp32``, ``dram`` ...).

        Raises
        ------
        HwsimError
            If the table has none; the message lists those of the same kind.
        """
        if key in self.coefficients:
            return self.coefficients[key]
        kind = key.split(".")[0]
        near = [name for name in self.coefficients if name.split(".")[0] == kind] or list(self.coefficients)
        raise HwsimError(f"technology {self.name} has no coefficient {key}; it has {', '.join(near)}")


def load_technology(name: str, *, beside: Path | None = None) -> Technology:
    """Load a table by name, or by path (relative to the folder ``beside``) if it ends in ``.yaml``."""
    if name.endswith((".yaml", ".yml")):
        return read_model((beside or Path()) / name, Technology)
    path = _TABLES / f"{name}.yaml"
    if not path.is_file():
        raise InputError(f"technology must be one of {', '.join(technologies())}", value=name)
    return read_model(path, Technology)


def technologies() -> list[str]:
    """Names of the tables that come with hwsim."""
    return sorted(path.stem for path in _TABLES.glob("*.yaml"))
