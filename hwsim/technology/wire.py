"""Wires on a chip: energy of a bit per millimetre, with repeaters."""

from __future__ import annotations

from hwsim.technology.coefficient import Coefficient

_PJ_PER_MM, _VOLTAGE_V = 310 / 256 / 10, 0.9


def wire(length_mm: float, voltage_v: float) -> Coefficient:
    """Return the energy of moving a bit over ``length_mm``, random data, at full swing.

    Capacitance per millimetre hardly depends on the node (Keckler et al.), so the energy is that at 40 nm times the
    square of the voltage: 0.121 pJ at 0.9 V.
    """
    value = _PJ_PER_MM * length_mm * (voltage_v / _VOLTAGE_V) ** 2
    return Coefficient(
        value=value, unit="pJ/1bit", format="any", uncertainty=0.3, kind="paper", confidence="quoted",
        uncertainty_basis="the same authors' 10 nm, others' 14 and 32 nm agree within 15 %; spacing and repeaters vary",
        recipe=f"{length_mm:g} mm: 310 pJ for 256 bits over 10 mm at 40 nm, 0.9 V, times the square of the voltage",
        source="Keckler et al., GPUs and the Future of Parallel Computing, IEEE Micro 31(5) 2011, Table 1",
        conditions=f"any node, {voltage_v:g} V",
    )  # fmt: skip
