"""What zeros among the operands of networks save: energy of an operation from the shares that are not zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flows.calibrate import networks, packing
from flows.calibrate.model import Sample
from flows.calibrate.streams import Streams
from hwsim import formats
from hwsim.technology.circuit import NON_ZERO, NON_ZERO_PRODUCTS, OPERATIONS
from rtl.pe.element import ProcessingElement

Floats = NDArray[np.float64]


def streams(pe: ProcessingElement, network: str, count: int, beats: int, seed: int) -> Streams:
    """Return streams of a network in which zeros, a share of their own in each, stand for some of the numbers."""
    generator = np.random.default_rng(seed)
    layers = [layer for name, layer in networks.layers().items() if name.startswith(f"{network}.")]
    thinned = {}
    for index in range(count):
        layer = layers[index % len(layers)]
        x, w = (numbers * (generator.random(numbers.shape) < generator.uniform(0.05, 1)) for numbers in layer)
        thinned[f"{network} {index}"] = x, w
    return networks.streams_of(pe, thinned, count, beats, seed)


def sample(pe: ProcessingElement, group: Streams, beats: NDArray[np.int64], energy_pj: Floats) -> Sample:
    """Return the streams with the shares that are not zero; of formats that have a zero."""
    kept = np.arange(group.shape[1]) < beats[:, None]
    shares = {
        name: (group.operands[name] != int(zero)) & kept
        for name, form in pe.operands.items() if (zero := _zero(form)) is not None
    }  # fmt: skip
    rates = {OPERATIONS: kept, **{NON_ZERO[name]: share for name, share in shares.items()}}
    if len(shares) == len(pe.operands):
        rates[NON_ZERO_PRODUCTS] = np.logical_and.reduce(list(shares.values()))
    return Sample(group.names, {name: rate.sum(axis=1) / beats for name, rate in rates.items()}, energy_pj)


def _zero(form: str) -> int | None:
    """Return the port's integer for zero, or None if the format has none."""
    return None if formats.parse(form).kind in ("bin", "pow2") else int(packing.encoded(np.zeros(1), form)[0])
