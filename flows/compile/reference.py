"""The integer network in PyTorch: exact, and without knowledge of commands, tiles or memories. The oracle."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from flows.compile.integer import IntegerGraph, Layer, Reduce, Sum
from models.layers import adder_conv2d


def run(graph: IntegerGraph, images: Tensor) -> dict[str, Tensor]:
    """Return every tensor of the network, int64 of shape ``(samples, channels, rows, columns)``.

    Parameters
    ----------
    images
        Integers of that shape within ``graph.limits``.
    """
    tensors = {graph.input: images.to(torch.int64)}
    for layer in graph.layers:
        source, main = tensors[layer.source], layer.main
        sums = _reduced(main, source, graph.limits[0]) if isinstance(main, Reduce) else _summed(main, source)
        half = 1 << graph.sum_bits - 1
        sums = (sums + half) % (2 * half) - half
        bias, multiplier = (torch.from_numpy(values)[:, None, None] for values in (layer.bias, layer.multiplier))
        scaled = (sums + bias) * multiplier
        if layer.residual:
            scaled = scaled + tensors[layer.residual] * layer.residual_multiplier
        tensors[layer.output] = _round_half_even(scaled, layer).clamp(layer.low, layer.high)
    return tensors


def _round_half_even(values: Tensor, layer: Layer) -> Tensor:
    step = 1 << layer.shift
    whole, rest = torch.div(values, step, rounding_mode="floor"), values % step
    return whole + ((2 * rest > step) | ((2 * rest == step) & (whole % 2 == 1)))


def _summed(main: Sum, source: Tensor) -> Tensor:
    """Sums in float64, which holds them exactly."""
    geometry, x = main.geometry, source.double()
    where = (geometry.stride, geometry.padding, geometry.dilation, main.groups)
    weight = torch.from_numpy(main.weight).double()
    if main.mode.term == "adder":
        distances: Tensor = adder_conv2d(x, weight, *map(list, where[:3]), main.groups, 0.0)
        return distances.long()
    if not main.mode.dropped:
        return F.conv2d(x, weight, None, *where).long()
    total = torch.zeros((), dtype=torch.int64)
    for power in torch.unique(weight.abs()[weight != 0]).tolist():  # what is dropped depends on the weight
        signs = weight.sign() * (weight.abs() == power)
        total = total + F.conv2d((x * power / 2**main.mode.dropped).floor(), signs, None, *where).long()
    return total


def _reduced(main: Reduce, source: Tensor, least: int) -> Tensor:
    geometry, (down, right) = main.geometry, main.geometry.padding
    padded = F.pad(source.double(), (right, right, down, down), value=float(least) if main.maximum else 0.0)
    if main.maximum:
        return F.max_pool2d(padded, main.kernel, geometry.stride, 0, geometry.dilation).long()
    channels = source.shape[1]
    ones = torch.ones(channels, 1, *main.kernel, dtype=torch.float64)
    return F.conv2d(padded, ones, None, geometry.stride, 0, geometry.dilation, channels).long()
