"""From numbers between -1 and 1 to the operand ports of a PE: its formats, its lanes, and its modes.

A PE with modes runs each stream in one of them, as a layer has one precision.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim import formats
from rtl.pe.element import ProcessingElement
from rtl.pe.floating import FloatMac
from rtl.pe.fusible import WORD, FusibleMac
from rtl.pe.serial import BitSerialMac
from rtl.pe.shift_add import ShiftAddPE
from rtl.pe.simhash import SimHashTree
from rtl.pe.ternary import TernaryAddPE

Reals = NDArray[np.float64]
Integers = NDArray[np.int64]
Ports = dict[str, NDArray[Any]]

_SCALE = {"int": 0.5, "uint": 1.0}
_KINDS = {"int", "uint", "pow2", "pow2z", "bin", "bin01", "fp"}


def plain(pe: ProcessingElement) -> bool:
    """Whether the PE takes an activation ``x`` and a weight ``w`` in formats of numbers, and nothing else."""
    return list(pe.operands) == ["x", "w"] and all(formats.parse(form).kind in _KINDS for form in pe.operands.values())


def known(pe: ProcessingElement) -> bool:
    """Whether numbers can be packed for the PE."""
    return plain(pe) or type(pe) in _PACKED


def by_value(pe: ProcessingElement) -> bool:
    """Whether ports say too little of the numbers on them to draw ports: those of modes, lanes of a bus, and floats."""
    return isinstance(pe, (FloatMac, FusibleMac, BitSerialMac, TernaryAddPE, ShiftAddPE))


def settings(pe: ProcessingElement) -> tuple[str, ...]:
    """Return the ports that hold still in a stream, so that nothing is known of what their changes cost."""
    return _SETTINGS.get(type(pe), ())


def modes(pe: ProcessingElement) -> int:
    """Return how many modes there are."""
    match pe:
        case FusibleMac():
            return pe.modes**2
        case BitSerialMac():
            return pe.x_bits - 1
        case ShiftAddPE():
            return 2
        case _:
            return 1


def lanes(pe: ProcessingElement, mode: int) -> int:
    """Return how many terms a beat takes."""
    match pe:
        case FusibleMac():
            return (pe.slices >> mode // pe.modes) * (pe.slices >> mode % pe.modes)
        case SimHashTree():
            return pe.lanes
        case _:
            return 1


def packed(pe: ProcessingElement, x: Reals, w: Reals, first: NDArray[np.bool_], mode: int) -> Ports:
    """Return the operand ports.

    Parameters
    ----------
    x, w
        Numbers of shape ``(beats, lanes)``.
    first
        Where sums start.
    mode
        Below `modes`.
    """
    if plain(pe):
        return {name: encoded(values[:, 0], pe.operands[name]) for name, values in (("x", x), ("w", w))}
    return _PACKED[type(pe)](pe, x, w, first, mode)


def encoded(values: Reals, form_name: str) -> Integers:
    """Return numbers between -1 and 1 as a port's integers: numbers of integer formats, codes of all others."""
    form = formats.parse(form_name)
    if form.kind in ("bin", "bin01"):
        return (values < 0).astype(np.int64)
    scaled = values * _SCALE.get(form.kind, 1 / 2**form.bits) * 2**form.bits
    codes = formats.encode(scaled, form.name, saturate=True).astype(np.int64)
    return formats.decode(codes, form.name).astype(np.int64) if form.kind == "int" else codes


def _fusible(pe: FusibleMac, x: Reals, w: Reals, first: NDArray[np.bool_], mode: int) -> Ports:
    chosen = {"x": mode // pe.modes, "w": mode % pe.modes}
    ports: Ports = {}
    for name, values in (("x", x), ("w", w)):
        bits = 2 << chosen[name]
        codes = encoded(values, f"int{bits}") & ((1 << bits) - 1)
        words = [np.zeros(len(x), np.int64) for _ in pe.bus(name)]
        for lane in range(values.shape[1]):
            words[lane * bits // WORD] |= codes[:, lane] << lane * bits % WORD
        ports |= dict(zip(pe.bus(name), words, strict=True))
    return ports | {f"{name}_mode": np.full(len(x), value) for name, value in chosen.items()}


def _serial(pe: BitSerialMac, x: Reals, w: Reals, first: NDArray[np.bool_], mode: int) -> Ports:
    precision = pe.x_bits - mode
    codes = encoded(x[:, 0], f"int{precision}") & ((1 << precision) - 1)
    return {"x": codes, "w": encoded(w[:, 0], pe.operands["w"]), "precision": np.full(len(x), precision)}


def _ternary(pe: TernaryAddPE, x: Reals, w: Reals, first: NDArray[np.bool_], mode: int) -> Ports:
    """Keep the half of the weights that is larger; every sum starts at the same seed."""
    keep = np.abs(w[:, 0]) > np.median(np.abs(w))
    seed = np.full(len(x), int(encoded(np.abs(w[:1, 0]), f"uint{pe.lfsr_bits}")[0]) | 1)
    return {"x": encoded(x[:, 0], pe.operands["x"]), "keep": keep.astype(np.int64),
            "reseed": first.astype(np.int64), "seed": seed}  # fmt: skip


def _simhash(pe: SimHashTree, x: Reals, w: Reals, first: NDArray[np.bool_], mode: int) -> Ports:
    signs = ((w < 0) << np.arange(pe.lanes)).sum(axis=1)
    return {**{f"x_{lane}": encoded(x[:, lane], f"int{pe.x_bits}") for lane in range(pe.lanes)}, "signs": signs}


def _shift_add(pe: ShiftAddPE, x: Reals, w: Reals, first: NDArray[np.bool_], mode: int) -> Ports:
    form = pe.operands["w"] if mode else f"pow2{'z' if pe.zero else ''}_{pe.shift_bits}"
    weight = encoded(w[:, 0], form)
    half = 1 << (pe.bits - 1)  # a code of as many bits as the port is a negative number there
    return {"x": encoded(x[:, 0], pe.operands["x"]), "w": (weight + half) % (2 * half) - half,
            "mode": np.full(len(x), mode)}  # fmt: skip


_PACKED: dict[type[ProcessingElement], Callable[..., Ports]] = {
    FusibleMac: _fusible, BitSerialMac: _serial, TernaryAddPE: _ternary, SimHashTree: _simhash, ShiftAddPE: _shift_add,
}  # fmt: skip

_SETTINGS: dict[type[ProcessingElement], tuple[str, ...]] = {
    FusibleMac: ("x_mode", "w_mode"), BitSerialMac: ("precision",), TernaryAddPE: ("seed",), ShiftAddPE: ("mode",),
}  # fmt: skip
