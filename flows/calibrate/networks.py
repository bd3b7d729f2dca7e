"""Operands of trained networks: layers of three networks on digits, in the formats of a PE.

``networks.npz`` was written by ``benchmarks/network_operands.py``: ``cnn``, three convolutions with ReLU and a linear
layer, is for fitting; ``mlp``, three linear layers, and ``lenet``, convolutions with tanh, are for judging the fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flows.calibrate import packing
from flows.calibrate.streams import Streams
from rtl.pe.element import ProcessingElement

FITTED, HELD_OUT = "cnn", ("mlp", "lenet")


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


Layers = Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Activations and weights by name, as `layers` gives them."""


def streams(pe: ProcessingElement, network: str, count: int, beats: int, seed: int) -> Streams:
    """Return `streams_of` the layers of a network."""
    of_network = {name: layer for name, layer in layers().items() if name.startswith(f"{network}.")}
    return streams_of(pe, of_network, count, beats, seed)


def streams_of(pe: ProcessingElement, given: Layers, count: int, beats: int, seed: int) -> Streams:
    """Return streams as a PE of an output-stationary array sees them: a row after another, a sum per row.

    Layers take turns, and with them the modes of a PE that has some.
    """
    generator = np.random.default_rng(seed)
    names = list(given)
    chosen = [names[index % len(names)] for index in range(count)]
    ports, firsts = [], []
    for index, name in enumerate(chosen):
        mode = index // len(names) % packing.modes(pe)
        x, w = given[name]
        rows = np.roll(x, -generator.integers(len(x)), axis=0)
        x, w, first = _beats(rows, w[:, generator.integers(w.shape[1])], packing.lanes(pe, mode), beats)
        ports.append(packing.packed(pe, x, w, first, mode))
        firsts.append(first)
    operands = {port: np.stack([one[port] for one in ports]) for port in pe.operands}
    return Streams(tuple(chosen), operands, np.stack(firsts), np.ones((count, beats), bool))


def _beats(
    rows: NDArray[np.float64], weights: NDArray[np.float64], lanes: int, beats: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return the terms of row after row as ``(beats, lanes)``, zeros behind those of the last beat of a sum."""
    per_sum = -(-len(weights) // lanes)
    sums = -(-beats // per_sum)
    fill = per_sum * lanes - len(weights)
    taken = np.pad(rows[np.arange(sums) % len(rows)], ((0, 0), (0, fill)))
    w = np.tile(np.pad(weights, (0, fill)).reshape(per_sum, lanes), (sums, 1))
    return taken.reshape(-1, lanes)[:beats], w[:beats], np.arange(beats) % per_sum == 0
