"""Wires and hops of a network on a chip: energy of a bit over a length, and through a switch."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import RootModel

from hwsim.errors import InputError
from hwsim.files import Frozen, read_model
from hwsim.technology.circuit import Positive
from hwsim.technology.coefficient import Coefficient

_PJ_PER_MM, _VOLTAGE_V = 310 / 256 / 10, 0.9
FLIT_BITS = 32


class Switch(Frozen):
    """A five-way switch with registered inputs: energy of a flit at full load, of an idle cycle, and the gates."""

    flit_pj: Positive
    idle_pj: Positive
    area_um2: Positive
    delay_ns: Positive


class _Libraries(RootModel[dict[str, Switch]]):
    """By library."""


@cache
def switches() -> dict[str, Switch]:
    """Return what our own switch of 32 bits costs, by library."""
    return read_model(Path(str(files("hwsim.technology") / "models" / "switches.yaml")), _Libraries).root


def wire(length_mm: float, voltage_v: float) -> Coefficient:
    """Return the energy of moving a bit over ``length_mm``, random data, at full swing.

    Capacitance per millimetre hardly depends on the node (Keckler et al.), so the energy is that at 40 nm times the
    square of the voltage: 0.121 pJ at 0.9 V.
    """
    return Coefficient(
        value=_PJ_PER_MM * length_mm * (voltage_v / _VOLTAGE_V) ** 2, unit="pJ/1bit", format="any", uncertainty=0.3,
        uncertainty_basis="the same authors' 10 nm, others' 14 and 32 nm agree within 15 %; spacing and repeaters vary",
        recipe=f"{length_mm:g} mm: 310 pJ for 256 bits over 10 mm at 40 nm, 0.9 V, times the square of the voltage",
        source="Keckler et al., GPUs and the Future of Parallel Computing, IEEE Micro 31(5) 2011, Table 1",
        conditions=f"any node, {voltage_v:g} V", kind="paper", confidence="quoted",
    )  # fmt: skip


def hop(library: str, length_mm: float, voltage_v: float) -> Coefficient:
    """Return the energy of a bit through a switch and over the wire to the next.

    Raises
    ------
    InputError
        If the switch was not measured in this library.
    """
    if library not in switches():
        raise InputError(f"switches are known in {', '.join(switches())}", value=library)
    over = wire(length_mm, voltage_v)
    return Coefficient(
        value=switches()[library].flit_pj / FLIT_BITS + over.value, unit="pJ/1bit", format="any", uncertainty=0.4,
        uncertainty_basis="wire 30 %; buffers deeper than a register, arbitration and flow control are not in it",
        recipe=f"register and five-way switch of 32 bits at full load, then {over.recipe}", kind="rtl",
        source=f"this project's RTL (flows.tables.switch) in {library}; {over.source}",
    )  # fmt: skip
