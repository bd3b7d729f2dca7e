"""Coefficients that models give instead of a table: memories, wires and whole processing elements, by their key."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from hwsim.errors import InputError
from hwsim.technology.circuit import Circuit
from hwsim.technology.coefficient import Coefficient
from hwsim.technology.dram import dram
from hwsim.technology.registers import Use, registers
from hwsim.technology.sram import Access, Cell, coefficient, leakage
from hwsim.technology.storage import storage
from hwsim.technology.wire import hop, wire

if TYPE_CHECKING:
    from hwsim.technology.technology import Technology

PRIMITIVES = {
    "int_mac": "mac", "float_mac": "mac", "shift": "shift", "adder": "add", "binary_add": "binary_add",
    "shift_add": "shift_add",
}  # fmt: skip
"""Primitive that a processing element computes, by its key; ``shift_add`` takes either in turn."""


def modelled(key: str, technology: Technology) -> Coefficient | None:
    """Return the coefficient ``key`` of a model, or None if its family has none.

    ``dram.lpddr4``, ``sram.65536x64`` (bytes x bits of an access; then ``.read``, ``.write``, ``.leakage``, ``.lop``),
    ``registers.16x8.read``, ``wire.1.5mm``, ``hop.1.5mm``, ``pe.mac.int8``, ``pe.mac.int8@50x100`` (per cent of the
    activations and the weights that are not zero), ``circuit.int8_mac`` (a processing element by its name in the
    table; then ``.idle``, the clock of a cycle without an operation, or ``.leakage``), ``line.stored``,
    ``queue.written`` (`hwsim.technology.storage`).

    Raises
    ------
    HwsimError
        If the family is known and the rest of the key is wrong, or outside the model.
    """
    family, _, rest = key.partition(".")
    return _FAMILIES[family](rest, technology) if rest and family in _FAMILIES else None


_ACCUMULATOR = Coefficient(
    value=0, unit="pJ/1bit", format="any", uncertainty=0, uncertainty_basis="none of its own", kind="rtl",
    recipe="partial sums stay in the processing element, whose price includes them", source="the element's own",
)  # fmt: skip


def element_key(circuit: Circuit) -> str:
    """Key of a whole processing element: ``pe.``, its primitive and the formats of both factors."""
    return f"pe.{PRIMITIVES[circuit.key]}.{format_pair(circuit.formats['x'], circuit.formats['w'])}"


def format_pair(first: str, second: str) -> str:
    """``int8``, or ``int8*pow2_4`` if they differ."""
    return first if first == second else f"{first}*{second}"


def elements(technology: Technology) -> dict[str, Coefficient]:
    """Whole processing elements of the table by their keys; of two for the same, the first."""
    found: dict[str, Coefficient] = {}
    for name, circuit in technology.circuits.items():
        if circuit.kind == "pe" and circuit.key in PRIMITIVES:
            found.setdefault(element_key(circuit), _element(name, circuit, technology))
    return found


def sparse(key: str, density_x: float, density_w: float) -> str:
    """Key of the element ``key`` on operands of which these shares are not zero; ``key`` itself where all are."""
    percent = f"{100 * density_x:.0f}x{100 * density_w:.0f}"
    return key if percent == "100x100" else f"{key}@{percent}"


def _element(name: str, circuit: Circuit, technology: Technology) -> Coefficient:
    """Price on the last operands measured: those of networks where the element takes numbers."""
    origin = technology.provenance.library if technology.provenance else technology.name
    energy = circuit.energy[-1]
    operands = "operands of three networks" if energy.stream == "networks" else f"{energy.stream} operands"
    return Coefficient(
        value=energy.total_pj, unit="pJ/op", format="any", uncertainty=max(circuit.spread, 0.2), kind="rtl",
        uncertainty_basis="spread over designed operands, at least that of ratios between libraries; no wires",
        recipe=f"whole element with accumulator, registers and clock pins, {operands}: circuit {name}",
        source=f"this project's RTL in {origin}",
    )  # fmt: skip


def _sparse_element(name: str, circuit: Circuit, technology: Technology, percent: tuple[int, int]) -> Coefficient:
    x, w = (one / 100 for one in percent)
    dense = _element(name, circuit, technology)
    energy_pj = circuit.sparse_pj(x, w)
    model = circuit.zeros
    assert model is not None  # noqa: S101 (sparse_pj has refused it)
    error = max(model.residual, *(one.mean_error for one in model.held_out))
    return dense.model_copy(update={
        "value": energy_pj, "kind": "fit", "uncertainty": max(error, 0.2),
        "uncertainty_basis": "held-out layers of networks, at least that of ratios between libraries; no wires",
        "recipe": f"{dense.recipe}; {x:.0%} of x and {w:.0%} of w not zero, at random: "
        + " + ".join(f"{rate.energy_pj:.3g} pJ per {rate.name}" for rate in model.rates),
    })  # fmt: skip


def _pe(rest: str, technology: Technology) -> Coefficient | None:
    if rest == "accumulator":
        return _ACCUMULATOR
    key, _, densities = rest.partition("@")
    percent = re.fullmatch(r"(100|\d{1,2})x(100|\d{1,2})", densities)
    if densities and percent is None:
        rule = "densities must be per cent of x and of w that are not zero, such as pe.mac.int8@50x100"
        raise InputError(rule, value=f"pe.{rest}")
    for name, circuit in technology.circuits.items():
        if circuit.kind == "pe" and circuit.key in PRIMITIVES and element_key(circuit) == f"pe.{key}":
            if percent:
                return _sparse_element(name, circuit, technology, (int(percent[1]), int(percent[2])))
            return _element(name, circuit, technology)
    return None


def _circuit(rest: str, technology: Technology) -> Coefficient | None:
    """A processing element by its name."""
    name, _, use = rest.partition(".")
    circuit = technology.circuits.get(name)
    if circuit is None or circuit.kind != "pe" or use not in ("", "idle", "leakage"):
        return None
    whole = _element(name, circuit, technology)
    if not use:
        return whole
    if use == "leakage":
        power, basis = circuit.leakage_nw * 1e-6, "cells of the library, no wires"
        return _of_time(whole, power, "mW", basis, f"leakage of all cells: circuit {name}")
    for rate in circuit.model.rates if circuit.model else ():
        if rate.name == "cycles":
            recipe = f"a cycle in which nothing but the clock moves: circuit {name}"
            return _of_time(whole, rate.energy_pj, "pJ/cycle", "a rate of a fitted model", recipe)
    return None


def _of_time(element: Coefficient, value: float, unit: str, basis: str, recipe: str) -> Coefficient:
    return element.model_copy(update={"value": value, "unit": unit, "uncertainty_basis": basis, "recipe": recipe})


def _dram(rest: str, technology: Technology) -> Coefficient:
    return dram(rest)


def _wire(rest: str, technology: Technology) -> Coefficient:
    return wire(_length_mm("wire", rest), technology.voltage_v)


def _hop(rest: str, technology: Technology) -> Coefficient:
    return hop(_library(technology), _length_mm("hop", rest), technology.voltage_v)


def _length_mm(family: str, rest: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)mm", rest)
    if found is None:
        raise InputError(f"{family} must have a length in mm, such as {family}.1.5mm", value=f"{family}.{rest}")
    return float(found[1])


def _library(technology: Technology) -> str:
    return technology.name.split("+")[0]


def _sram(rest: str, technology: Technology) -> Coefficient:
    found = re.fullmatch(r"(\d+)x(\d+)(?:\.(read|write|leakage))?(?:\.(hp|lop))?", rest)
    if found is None:
        rule = "SRAM must be bytes x bits of an access, then .read or .write, then .hp or .lop, such as sram.65536x64"
        raise InputError(rule, value=f"sram.{rest}")
    if found[3] == "leakage":
        return leakage(int(found[1]), int(found[2]), "itrs-lop" if found[4] == "lop" else "itrs-hp", technology.node_nm)
    access: Access = found[3] or ""  # type: ignore[assignment]
    cell: Cell = "itrs-lop" if found[4] == "lop" else "itrs-hp"
    return coefficient(int(found[1]), int(found[2]), access, cell, technology.node_nm, technology.voltage_v)


def _registers(rest: str, technology: Technology) -> Coefficient:
    found = re.fullmatch(r"(\d+)x(\d+)(?:\.(read|write|hold))?", rest)
    if found is None:
        rule = "register file must be words x bits, then .read, .write or .hold, such as registers.16x8.read"
        raise InputError(rule, value=f"registers.{rest}")
    use: Use = found[3] or "access"  # type: ignore[assignment]
    return registers(_library(technology), int(found[1]), int(found[2]), use)


def _line(rest: str, technology: Technology) -> Coefficient:
    return storage(_library(technology), "line", rest)


def _queue(rest: str, technology: Technology) -> Coefficient:
    return storage(_library(technology), "queue", rest)


_FAMILIES: dict[str, Callable[[str, Technology], Coefficient | None]] = {
    "pe": _pe, "circuit": _circuit, "dram": _dram, "wire": _wire, "hop": _hop, "sram": _sram, "registers": _registers,
    "line": _line, "queue": _queue,
}  # fmt: skip
