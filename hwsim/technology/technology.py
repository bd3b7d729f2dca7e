"""Technology tables: coefficients and circuits of one node and voltage, and where they come from."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from hwsim.errors import HwsimError, InputError, MissingCoefficientError
from hwsim.files import Frozen, read_model
from hwsim.technology.circuit import ArrayCheck, Circuit, Provenance
from hwsim.technology.coefficient import Coefficient
from hwsim.technology.modelled import elements, modelled
from hwsim.technology.resources import Fpga
from hwsim.technology.scaling import scale

_TABLES = Path(str(files("hwsim.technology") / "tables"))


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
    fpga: Fpga | None = None
    """What PEs and memories take of an FPGA, if this is one."""

    @model_validator(mode="after")
    def _circuits_have_a_source(self) -> Technology:
        if self.circuits and self.provenance is None:
            raise ValueError("circuits need a provenance")
        return self

    def coefficient(self, key: str) -> Coefficient:
        """Return the coefficient ``key`` (``mult.fp32``, ``dram`` ...), or what a model gives for it (``dram.lpddr4``).

        Raises
        ------
        MissingCoefficientError, HwsimError
            If the table has none; the message lists those of the same kind.
        """
        found = self.coefficients.get(key) or modelled(key, self)
        if found is not None:
            return found
        kind = key.split(".")[0]
        known = self.all_coefficients()
        near = [name for name in known if name.split(".")[0] == kind] or list(known)
        error = MissingCoefficientError if "." in key else HwsimError  # of a number format, or of a component
        raise error(f"technology {self.name} has no coefficient {key}; it has {', '.join(near)}")

    def all_coefficients(self) -> dict[str, Coefficient]:
        """Those of the table, then whole processing elements."""
        return {**self.coefficients, **elements(self)}


def load_technology(name: str, *, beside: Path | None = None) -> Technology:
    """Load a table by name, or by path (relative to the folder ``beside``) if it ends in ``.yaml``.

    Of several, joined by ``+`` (``nangate45+horowitz-45nm``), the first leads; what it lacks comes from the next,
    scaled to the node and voltage of the first.
    """
    first, *others = (_load(one, beside) for one in name.split("+"))
    lent = {key: one for table in reversed(others) for key, one in _lent(table, first).items()}
    return first if not others else first.model_copy(
        update={
            "name": name, "coefficients": {**lent, **first.coefficients},
            "title": "; ".join([first.title, *(f"what it lacks from {table.name}" for table in others)]),
        }
    )  # fmt: skip


def _lent(table: Technology, to: Technology) -> dict[str, Coefficient]:
    same = (table.node_nm, table.voltage_v) == (to.node_nm, to.voltage_v)
    return (table if same else scale(table, to.node_nm, to.voltage_v)).all_coefficients()


def _load(name: str, beside: Path | None) -> Technology:
    if name.endswith((".yaml", ".yml")):
        return read_model((beside or Path()) / name, Technology)
    path = _TABLES / f"{name}.yaml"
    if not path.is_file():
        raise InputError(f"technology must be one of {', '.join(technologies())}", value=name)
    return read_model(path, Technology)


def technologies() -> list[str]:
    """Names of the tables that come with hwsim."""
    return sorted(path.stem for path in _TABLES.glob("*.yaml"))
