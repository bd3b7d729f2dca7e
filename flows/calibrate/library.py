"""Cells of a library: area, leakage, function, timing and energy, in um2, nW, ns, pF and pJ."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from flows.calibrate import boolean
from flows.calibrate.liberty import Group, read
from flows.calibrate.table import Scale, Table, TableReader
from hwsim.errors import HwsimError, InputError

_PREFIX = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0}
_TIMES = ("cell_rise", "cell_fall", "rise_transition", "fall_transition", "rise_constraint", "fall_constraint")
_QUANTITY = re.compile(r'^\s*([0-9.eE+-]+)\s*,?\s*"?([fpnum]?)(\w)"?\s*$', re.IGNORECASE)


@dataclass(frozen=True)
class Energy:
    """Energy inside the cell when a pin rises or falls; pJ over slew and load.

    Attributes
    ----------
    pin
        The pin that moves.
    related
        Of an output, the input that makes it move.
    when
        A condition on the other pins; empty for none.
    supply
        The supply pin that delivers it: what several supplies deliver adds up. Ground delivers nothing: its
        tables state the charge that a supply delivered once more, on its way out, and are left out.
    rise, fall
        None where the file gives no table for that edge.
    """

    pin: str
    related: str
    when: str
    supply: str
    rise: Table | None
    fall: Table | None


@dataclass(frozen=True)
class Arc:
    """Time from an input's edge to an output's (or, of a setup arc, that data must be there before the clock)."""

    pin: str
    related: str
    kind: str
    sense: str
    rise: Table | None
    fall: Table | None
    rise_slew: Table | None
    fall_slew: Table | None


@dataclass(frozen=True)
class Register:
    """An edge-triggered flip-flop: names of its state and the inverted state, and when it takes what."""

    state: str
    inverse: str
    next_state: str
    clock: str
    clear: str
    preset: str


@dataclass(frozen=True)
class Cell:
    """One cell. ``inputs`` maps pins to pF; ``outputs`` maps pins to functions of inputs and state."""

    name: str
    area_um2: float
    leakage_nw: float
    inputs: dict[str, float]
    outputs: dict[str, str]
    register: Register | None
    energies: tuple[Energy, ...]
    arcs: tuple[Arc, ...]

    @property
    def clock_pin(self) -> str:
        """The clock pin of a flip-flop; empty for other cells."""
        return self.register.clock.strip("()!' ") if self.register else ""


class Library:
    """Cells of one or several Liberty files that together make a library.

    Parameters
    ----------
    paths
        The files; a cell in two of them is taken from the first.

    Attributes
    ----------
    name
        Name of the first file's library.
    voltage_v, temperature_c
        Nominal conditions; equal in all files.
    time_ns
        The first file's unit of time.
    digests
        SHA-256 of each file's unpacked text, by file name.

    Raises
    ------
    InputError
        If a file is broken, lacks a unit, or has other nominal conditions than the first.
    """

    def __init__(self, paths: list[Path]) -> None:
        self.paths, self.digests = paths, {}
        self._groups: dict[str, tuple[Group, TableReader, Group]] = {}
        self._cells: dict[str, Cell] = {}
        conditions = {}
        for path in paths:
            library, self.digests[path.name] = read(path)
            conditions[path] = tuple(_number(library, key, path) for key in ("nom_voltage", "nom_temperature"))
            if conditions[path] != conditions[paths[0]]:
                rule = f"must have the nominal voltage and temperature of {paths[0].name}"
                raise InputError(rule, file=path, value=conditions[path])
            templates = {g.arguments[0]: g for g in library.all("lu_table_template", "power_lut_template")}
            reader = TableReader(templates, _scale(library, path), path)
            for group in library.all("cell"):
                self._groups.setdefault(group.arguments[0], (group, reader, library))
            if path == paths[0]:
                self.name, self.time_ns = library.arguments[0], reader.scale.time_ns
        self.voltage_v, self.temperature_c = conditions[paths[0]]

    @property
    def has_flip_flops(self) -> bool:
        """Whether there is a cell with an edge-triggered state."""
        return any(inside.kind == "ff" for cell, _, _ in self._groups.values() for inside in cell.groups)

    def cell(self, name: str) -> Cell:
        """Return a cell.

        Raises
        ------
        HwsimError
            If there is none of this name.
        InputError
            If it lacks what calibration needs: area, leakage, capacitances, functions or power tables.
        """
        if name not in self._groups:
            files = ", ".join(path.name for path in self.paths)
            raise HwsimError(f"cell {name} of the netlist is not in {files}")
        if name not in self._cells:
            self._cells[name] = _cell(*self._groups[name])
        return self._cells[name]


def _scale(library: Group, path: Path) -> Scale:
    time, _ = _unit(library, "time_unit", path)
    capacitance, _ = _unit(library, "capacitive_load_unit", path)
    return Scale(time * 1e9, capacitance * 1e12)


def _unit(library: Group, attribute: str, path: Path) -> tuple[float, str]:
    text = library.attributes.get(attribute)
    if text is None:
        raise InputError("field is required: units are read from the header", file=path, field=attribute)
    found = _QUANTITY.match(text)
    if found is None:
        raise InputError("must be a number with a unit", file=path, field=attribute, value=text)
    return float(found[1]) * _PREFIX[found[2].lower()], found[3]


def _number(group: Group, attribute: str, path: Path) -> float:
    try:
        return float(group.attributes[attribute])
    except KeyError as error:
        where = f"{group.kind} {' '.join(group.arguments)}: {attribute}"
        raise InputError("field is required", file=path, field=where) from error
    except ValueError as error:
        raise InputError("must be a number", file=path, field=attribute, value=group.attributes[attribute]) from error


def _cell(group: Group, reader: TableReader, library: Group) -> Cell:
    name, path = group.arguments[0], reader.path
    volt, _ = _unit(library, "voltage_unit", path)
    watt, _ = _unit(library, "leakage_power_unit", path)
    grounds = _grounds(group)
    inputs: dict[str, float] = {}
    outputs: dict[str, str] = {}
    energies: list[Energy] = []
    arcs: list[Arc] = []
    for pin in group.all("pin"):
        for one in pin.arguments:
            direction = pin.attributes.get("direction", "")
            if direction == "input":
                inputs[one] = _capacitance(pin, path) * reader.scale.capacitance_pf
            elif direction == "output" and "function" in pin.attributes:
                outputs[one] = pin.attributes["function"]
            found = _energies(pin, one, name, reader, reader.scale.capacitance_pf * volt**2)
            energies += [energy for energy in found if energy.supply not in grounds]
            arcs += _arcs(pin, one, name, reader)
    if not any(energy.rise or energy.fall for energy in energies):
        raise InputError("has no internal_power tables", file=path, field=f"cell {name}")
    cell = Cell(
        name, _number(group, "area", path), _leakage(group, path) * watt * 1e9, inputs, outputs,
        _register(group), tuple(energies), tuple(arcs),
    )  # fmt: skip
    _check_names(cell, path)
    return cell


def _check_names(cell: Cell, path: Path) -> None:
    """Refuse functions, conditions and relations that name what the cell does not have."""
    register = cell.register
    if register and cell.clock_pin not in cell.inputs:
        raise InputError("must be clocked by one pin", file=path, field=f"cell {cell.name}", value=register.clock)
    inside = {*cell.inputs, register.state, register.inverse} if register else set(cell.inputs)
    texts = [*cell.outputs.values()]
    if register:
        texts += [text for text in (register.next_state, register.clear, register.preset) if text]
    for text in texts:
        _check_known(boolean.pins(text), inside, cell, text, path)
    known = inside | cell.outputs.keys()
    for energy in cell.energies:
        _check_known([energy.related] if energy.related else [], known, cell, energy.related, path)
        _check_known(boolean.pins(energy.when) if energy.when else [], known, cell, energy.when, path)


def _check_known(names: list[str], known: set[str], cell: Cell, text: str, path: Path) -> None:
    missing = [name for name in names if name not in known]
    if missing:
        rule = f"names {missing[0]}, which is no pin or state that can be simulated"
        raise InputError(rule, file=path, field=f"cell {cell.name}", value=text)


def _capacitance(pin: Group, path: Path) -> float:
    """Mean of the rising and the falling capacitance, where both are given."""
    if {"rise_capacitance", "fall_capacitance"} <= pin.attributes.keys():
        return (_number(pin, "rise_capacitance", path) + _number(pin, "fall_capacitance", path)) / 2
    return _number(pin, "capacitance", path)


def _grounds(group: Group) -> set[str]:
    """Return the names of a cell's ground pins."""
    return {pin.arguments[0] for pin in group.all("pg_pin") if pin.attributes.get("pg_type") == "primary_ground"}


def _leakage(group: Group, path: Path) -> float:
    """Return the cell's own average or, without one, the mean over the states of each supply, summed."""
    if "cell_leakage_power" in group.attributes and (average := _number(group, "cell_leakage_power", path)):
        return average
    states: dict[str, list[float]] = {}
    grounds = _grounds(group)
    for state in group.all("leakage_power"):
        if (supply := state.attributes.get("related_pg_pin", "")) not in grounds:
            states.setdefault(supply, []).append(_number(state, "value", path))
    if not states:
        raise InputError("has no leakage power", file=path, field=f"cell {group.arguments[0]}")
    return sum(sum(values) / len(values) for values in states.values())


def _register(group: Group) -> Register | None:
    for ff in group.all("ff"):
        text = ff.attributes
        if not ff.arguments or "next_state" not in text or "clocked_on" not in text:
            return None  # its outputs then name a state that is not there, which is refused
        return Register(
            ff.arguments[0], ff.arguments[1] if len(ff.arguments) > 1 else "", text["next_state"], text["clocked_on"],
            text.get("clear", ""), text.get("preset", ""),
        )  # fmt: skip
    return None


def _energies(pin: Group, name: str, cell: str, reader: TableReader, unit: float) -> list[Energy]:
    found = []
    for group in pin.all("internal_power"):
        tables = {one.kind: reader.read(one, cell, unit) for one in group.all("rise_power", "fall_power", "power")}
        rise, fall = (tables.get(edge, tables.get("power")) for edge in ("rise_power", "fall_power"))
        for related in group.attributes.get("related_pin", "").split() or [""]:
            when, supply = (group.attributes.get(key, "") for key in ("when", "related_pg_pin"))
            found.append(Energy(name, related, when, supply, rise, fall))
    return found


def _arcs(pin: Group, name: str, cell: str, reader: TableReader) -> list[Arc]:
    found = []
    for group in pin.all("timing"):
        kind = group.attributes.get("timing_type", "combinational")
        if kind not in ("combinational", "rising_edge", "falling_edge", "setup_rising", "setup_falling"):
            continue
        tables = {one.kind: reader.read(one, cell, reader.scale.time_ns) for one in group.all(*_TIMES)}
        rise, fall = (tables.get(f"cell_{edge}", tables.get(f"{edge}_constraint")) for edge in ("rise", "fall"))
        for related in group.attributes.get("related_pin", "").split():
            found.append(
                Arc(name, related, kind, group.attributes.get("timing_sense", "non_unate"), rise, fall,
                    tables.get("rise_transition"), tables.get("fall_transition"))
            )  # fmt: skip
    return found
