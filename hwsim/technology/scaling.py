"""Scaling to another node and voltage by the equations of Stillmaker and Baas (Integration 58, 2017), 180 to 7 nm."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from pydantic import Field, RootModel

from hwsim.errors import InputError
from hwsim.files import Frozen, read_model

if TYPE_CHECKING:
    from hwsim.technology.technology import Technology

Devices = Literal["HP", "LP"]
"""High performance or low power, which the equations tell apart from 45 nm on."""

NODE_UNCERTAINTY = 1.0
"""Relative, of energies between nodes: root mean square of the logarithm of predicted over measured ratios between our
five libraries, all circuits (`tests/technology/test_scaling.py` finds it again)."""

VOLTAGE_UNCERTAINTY = 0.1
"""Relative, at least, within a node."""

METHOD = "Stillmaker and Baas 2017"


class Process(Frozen):
    """One node's equations: polynomials of the supply voltage, highest power first."""

    node_nm: float
    energy: tuple[float, float, float]
    delay: tuple[float, float, float, float]
    area: Annotated[float, Field(gt=0)]


class _Processes(RootModel[dict[str, Process]]):
    """All of them, by node and devices."""


class Factors(NamedTuple):
    """What to multiply by, and how far to trust the first."""

    energy: float
    delay: float
    area: float
    uncertainty: float


def factors(
    node_nm: float, voltage_v: float, to_node_nm: float, to_voltage_v: float, devices: Devices = "HP"
) -> Factors:
    """Return the factors from one node and voltage to another.

    Raises
    ------
    InputError
        If the equations do not know a node, or energy does not rise with the voltage.
    """
    before, after = _process(node_nm, devices), _process(to_node_nm, devices)
    energy = _energy(after, to_voltage_v) / _energy(before, voltage_v)
    delay = _at(after.delay, to_voltage_v)[0] / _at(before.delay, voltage_v)[0]
    uncertainty = NODE_UNCERTAINTY
    if before is after:
        uncertainty = max(VOLTAGE_UNCERTAINTY, abs(energy * (voltage_v / to_voltage_v) ** 2 - 1))
    return Factors(energy, delay, after.area / before.area, uncertainty)


def scale(
    technology: Technology, node_nm: float | None = None, voltage_v: float | None = None, devices: Devices = "HP"
) -> Technology:
    """Return the table at another node, voltage or both, as coefficients with the scaling's uncertainty added.

    Accesses to ``dram`` stay as they are, and so does power that is paid over time, of which the equations say nothing.
    Circuits become the coefficients of whole processing elements (``pe.mac.int8``), and models that belong to a library
    (``registers``, ``hop``) no longer answer.

    Raises
    ------
    InputError
        As `factors`.
    """
    node = technology.node_nm if node_nm is None else node_nm
    voltage = technology.voltage_v if voltage_v is None else voltage_v
    by = factors(technology.node_nm, technology.voltage_v, node, voltage, devices)
    how = (f"scaled by {by.energy:.3g} from {technology.node_nm:g} nm, {technology.voltage_v:g} V"
           f" to {node:g} nm, {voltage:g} V ({METHOD})")  # fmt: skip
    coefficients = {
        key: one if _fixed(key) or one.is_standing else one.scaled(by.energy, by.uncertainty, how)
        for key, one in technology.all_coefficients().items()
    }
    return technology.model_copy(
        update={
            "name": f"{technology.name}@{node:g}nm-{voltage:g}V",
            "title": f"{technology.title}; at {node:g} nm, {voltage:g} V by {METHOD}",
            "node_nm": node, "voltage_v": voltage, "coefficients": coefficients, "circuits": {}, "provenance": None,
        }
    )  # fmt: skip


def _fixed(key: str) -> bool:
    return key.partition(".")[0] == "dram"


def _energy(process: Process, voltage_v: float) -> float:
    value, slope = _at(process.energy, voltage_v)
    if value <= 0 or slope <= 0:
        rule = f"voltage must be where the equations of {process.node_nm:g} nm hold and energy rises with it"
        raise InputError(rule, value=f"{voltage_v:g} V")
    return value


def _at(polynomial: tuple[float, ...], voltage_v: float) -> tuple[float, float]:
    """Value and slope."""
    value = slope = 0.0
    for number in polynomial:
        slope = slope * voltage_v + value
        value = value * voltage_v + number
    return value, slope


def _process(node_nm: float, devices: Devices) -> Process:
    for key in (f"{node_nm:g}{devices}", f"{node_nm:g}"):
        if key in _processes():
            return _processes()[key]
    known = ", ".join(f"{node:g}" for node in nodes())
    raise InputError(f"node must be one of {known} nm", value=f"{node_nm:g} nm")


def nodes() -> tuple[float, ...]:
    """Nodes in nm that the equations know."""
    return tuple(dict.fromkeys(one.node_nm for one in _processes().values()))


@cache
def _processes() -> dict[str, Process]:
    return read_model(Path(str(files("hwsim.technology") / "models" / "scaling.yaml")), _Processes).root
