"""Operands of trained networks: layers of three networks on digits, in the formats of a PE.

``networks.npz`` was written by ``benchmarks/network_operands.py``: ``cnn``, three convolutions with ReLU and a linear
layer, is for fitting; ``mlp``, three linear layers, and ``lenet``, convolutions with tanh, are for judging the fit.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flows.calibrate.streams import Streams
from hwsim import formats
from rtl.pe.element import ProcessingElement

FITTED, HELD_OUT = "cnn", ("mlp", "lenet")
_SCALE = {"int": 0.5, "uint": 1.0}
_KINDS = {"int", "uint", "pow2", "pow2z", "bin", "bin01", "fp"}


@cache
def layers() -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return activations ``(rows, terms)`` and weights ``(terms, outputs)`` of each layer, between -1 and 1.

    They are kept in steps of 1 / 127; what stands between two steps is drawn, so that wider formats have lower bits.
    """
    generator = np.random.default_rng(0)
    with np.load(Path(str(files("flows.calibrate") / "networks.npz"))) as file:
        kept = {key: file[key].astype(np.float64) for key in sorted(file.files)}
    drawn = {key: (array != 0) * generator.uniform(-0.5, 0.5, array.shape) for key, array in kept.items()}
    smooth = {key: (array + drawn[key]) / 128 for key, array in kept.items()}
    names = sorted({key.rpartition(".")[0] for key in smooth})
    return {name: (smooth[f"{name}.x"], smooth[f"{name}.w"]) for name in names}


def fits(pe: ProcessingElement) -> bool:
    """Whether the PE takes an activation ``x`` and a weight ``w`` in formats of numbers."""
    return list(pe.operands) == ["x", "w"] and all(formats.parse(form).kind in _KINDS for form in pe.operands.values())


def encoded(values: NDArray[np.float64], pe: ProcessingElement, operand: str) -> NDArray[np.int64]:
    """Return values between -1 and 1 as an operand's integers: numbers of integer formats, codes of all others."""
    form = formats.parse(pe.operands[operand])
    if form.kind in ("bin", "bin01"):
        return (values < 0).astype(np.int64)
    scaled = values * _SCALE.get(form.kind, 1 / 2**form.bits) * 2**form.bits
    codes = formats.encode(scaled, form.name, saturate=True).astype(np.int64)
    return formats.decode(codes, form.name).astype(np.int64) if form.kind == "int" else codes


def streams(pe: ProcessingElement, network: str, count: int, beats: int, seed: int) -> Streams:
    """Return streams as a PE of an output-stationary array sees them: a row after another, a sum per row."""
    generator = np.random.default_rng(seed)
    names = [name for name in layers() if name.startswith(f"{network}.")]
    chosen = [names[index % len(names)] for index in range(count)]
    x, w, first = [], [], []
    for name in chosen:
        rows, weights = layers()[name]
        sums = -(-beats // rows.shape[1])
        start, output = generator.integers(len(rows)), generator.integers(weights.shape[1])
        x.append(rows[(start + np.arange(sums)) % len(rows)].ravel()[:beats])
        w.append(np.tile(weights[:, output], sums)[:beats])
        first.append(np.arange(beats) % rows.shape[1] == 0)
    operands = {"x": encoded(np.stack(x), pe, "x"), "w": encoded(np.stack(w), pe, "w")}
    return Streams(tuple(chosen), operands, np.stack(first), np.ones((count, beats), bool))
