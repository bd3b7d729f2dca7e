"""Ranges of activations, seen on data."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from flows.compile.program import Program
from hwsim.errors import InputError

SAMPLED = 1 << 16
"""Most magnitudes of a tensor and batch that a percentile is taken of."""


def ranges(program: Program, images: Tensor, names: Iterable[str], percentile: float) -> dict[str, tuple[float, float]]:
    """Return the least and the largest number of each value, or what covers ``percentile`` of the magnitudes.

    The images are taken in batches of the program's size; what does not fill the last batch is filled from the first.

    Raises
    ------
    InputError
        If the images do not have the program's shape, or an activation is not finite.
    """
    wanted, found = set(names), dict[str, tuple[float, float]]()
    expected = program.input.meta["val"].shape
    if images.shape[1:] != expected[1:]:
        raise InputError(
            f"must have the shape (samples, {tuple(expected[1:])})", field="images", value=tuple(images.shape)
        )
    batch = program.batch
    for first in range(0, len(images), batch):
        index = torch.arange(first, first + batch) % len(images)
        given = images[index].to(program.input.meta["val"].dtype)
        for name, value in [(program.input.name, given), *program.run({program.input.name: given})]:
            if name in wanted:
                result = value[0] if isinstance(value, tuple) else value  # a batch norm returns statistics too
                low, high = _range(name, result, percentile)
                least, most = found.get(name, (low, high))
                found[name] = min(least, low), max(most, high)
    return found


def _range(name: str, value: Tensor, percentile: float) -> tuple[float, float]:
    low, high = float(value.min()), float(value.max())
    if not (abs(low) < float("inf") and abs(high) < float("inf")):
        raise InputError("must be finite on the given images", field=name, value=(low, high))
    if percentile == 100:
        return low, high
    magnitudes = value.abs().flatten()
    magnitudes = magnitudes[:: -(-len(magnitudes) // SAMPLED)]
    limit = float(torch.quantile(magnitudes, percentile / 100))
    return max(low, -limit), min(high, limit)
