"""From real numbers to integers: scales from data, weights for the PE, and the post-processor's multipliers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from flows.compile.element import Mode, choose
from flows.compile.integer import IntegerGraph, Layer, Reduce, Sum
from flows.compile.operators import Array, Convolution, Graph
from flows.compile.stages import Stage
from hwsim import formats
from hwsim.errors import InputError
from rtl.accelerator import Accelerator

MULTIPLIER = (1 << 15) - 1
SHIFT = 47
"""Largest multiplier and shift of the post-processor."""


@dataclass(frozen=True)
class Weights:
    """Integer weights of a layer, and what one step of a sum stands for, per filter, in steps of the input."""

    mode: Mode
    values: Array
    step: Array


def quantise(
    graph: Graph, stages: tuple[Stage, ...], ranges: dict[str, tuple[float, float]], accelerator: Accelerator
) -> IntegerGraph:
    """Return the network in integers.

    Parameters
    ----------
    ranges
        Least and largest number of every tensor that stages read or write.

    Raises
    ------
    InputError
        If the PE cannot do a layer, or unsigned activations meet negative numbers.
    """
    limits = _limits(accelerator.activations)
    scales = _scales(graph, stages, ranges, accelerator)
    layers = _named_apart(_layer(stage, scales, limits, accelerator) for stage in stages)
    shapes = {name: graph.shapes[name] for name in scales}
    return IntegerGraph(graph.input, graph.output, shapes, scales, layers, limits, accelerator.sum_bits)


def _named_apart(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """Return the layers, those of a name that was there before with ``#2``, ``#3``, ... behind it."""
    seen = Counter[str]()
    named = []
    for layer in layers:
        seen[layer.name] += 1
        named.append(layer if seen[layer.name] == 1 else replace(layer, name=f"{layer.name}#{seen[layer.name]}"))
    return tuple(named)


def _limits(activations: str) -> tuple[int, int]:
    form = formats.parse(activations)
    return (-(1 << form.bits - 1), (1 << form.bits - 1) - 1) if form.kind == "int" else (0, (1 << form.bits) - 1)


def _scales(
    graph: Graph, stages: tuple[Stage, ...], ranges: dict[str, tuple[float, float]], accelerator: Accelerator
) -> dict[str, float]:
    """Return the scale of every tensor: the network's own step, or the least that covers its range.

    An adder layer subtracts its weights from its inputs, so the two share a scale that covers both.
    """
    low, high = _limits(accelerator.activations)
    scales = {}
    for name in (graph.input, *(stage.output for stage in stages)):
        least, most = ranges[name]
        if low == 0 and least < 0:
            raise InputError(
                f"must not be negative with {accelerator.activations} activations", field=name, value=least
            )
        step, lowest, highest = graph.steps.get(name, (0.0, 0.0, -1.0))
        if step and low <= lowest and highest <= high:
            scales[name] = step
            continue
        reach = [max(abs(least), abs(most)) / high]
        for stage in stages:
            main = stage.main
            if isinstance(main, Convolution) and main.term == "adder" and main.source == name:
                mode = choose(accelerator, stage.name, "adder", main.weight, None)
                reach.append(float(np.abs(main.weight).max()) / ((1 << mode.bits - 1) - 1))
        scales[name] = max(reach) or 1.0
    return scales


def _layer(stage: Stage, scales: dict[str, float], limits: tuple[int, int], accelerator: Accelerator) -> Layer:
    main, source, target = stage.main, scales[stage.main.source], scales[stage.output]
    reduced: Sum | Reduce
    if isinstance(main, Convolution):
        weights = _weights(main, source, limits, accelerator)
        reduced, step = Sum(weights.mode, weights.values, main.geometry, main.groups), weights.step * source
    else:
        reduced, step = Reduce(main.maximum, main.kernel, main.geometry), np.full(len(stage.scale), source)
    layer = Layer(
        "+".join(dict.fromkeys(stage.names)), main.source, stage.output, reduced, *_post(
            stage, step, target, scales.get(stage.residual, 0.0), accelerator.sum_bits
        ), *_clipped(stage, target, limits), stage.residual,
    )  # fmt: skip
    if not stage.residual:
        return layer
    return replace(layer, residual_multiplier=round(scales[stage.residual] / target * 2.0**layer.shift))


def _clipped(stage: Stage, scale: float, limits: tuple[int, int]) -> tuple[int, int]:
    low, high = (int(np.clip(np.rint(limit / scale), *limits)) for limit in (stage.low, stage.high))
    return low, high


def _post(stage: Stage, step: Array, target: float, residual: float, sum_bits: int) -> tuple[Array, Array, int]:
    """Return biases, multipliers and the shift.

    The shift is the largest with which all multipliers fit. The bias of a channel is made for the multiplier as
    rounded; where it would not fit a sum, the multiplier is raised until it does.
    """
    factor, offset = stage.scale * step / target, stage.offset / target
    largest = max(float(np.abs(factor).max()), abs(residual / target), 2.0**-30)
    shift = int(np.clip(np.floor(np.log2(MULTIPLIER / largest)), 0, SHIFT))
    multiplier = np.clip(np.rint(factor * 2.0**shift), -MULTIPLIER, MULTIPLIER)
    fitting = np.ceil(np.abs(offset) * 2.0**shift / ((1 << sum_bits - 1) - 1))
    least = np.clip(np.maximum(fitting, offset != 0), 0, MULTIPLIER)
    multiplier = np.where(np.abs(multiplier) < least, np.where(factor < 0, -least, least), multiplier)
    bias = np.rint(offset * 2.0**shift / np.where(multiplier == 0, 1, multiplier))
    limit = (1 << sum_bits - 1) - 1
    return np.clip(bias, -limit, limit).astype(np.int64), multiplier.astype(np.int64), shift


def _weights(main: Convolution, source: float, limits: tuple[int, int], accelerator: Accelerator) -> Weights:
    """Return the weights of a convolution in integers whose sums cannot wrap."""
    mode = choose(accelerator, main.name, main.term, main.weight, main.weight_bits)
    most = ((1 << accelerator.sum_bits - 1) - 1) / max(-limits[0], limits[1])  # of the sum of a filter's weights
    flat = main.weight.reshape(len(main.weight), -1)
    if mode.term == "adder":
        return _adder(main, mode, source, most, limits)
    if mode.term == "shift":
        return _powers(main, mode, most)
    if mode.term == "binary":
        return Weights(mode, main.weight.astype(np.int64), np.ones(len(flat)))
    room = most - flat.shape[1] / 2  # rounding adds half a step per weight
    if room < 1:
        raise InputError(
            f"must sum at most {int(2 * most)} terms without wrapping", field=main.name, value=flat.shape[1]
        )
    step = np.maximum(np.abs(flat).max(1) / ((1 << mode.bits - 1) - 1), np.abs(flat).sum(1) / room)
    step = np.where(step == 0, 1.0, step)
    if main.step is not None and (main.step >= step * (1 - 1e-6)).all():  # the network's own integers fit
        step = main.step
    return Weights(mode, np.rint(main.weight / step[:, None, None, None]).astype(np.int64), step)


def _adder(main: Convolution, mode: Mode, source: float, most: float, limits: tuple[int, int]) -> Weights:
    limit = (1 << mode.bits - 1) - 1
    values = np.clip(np.rint(main.weight / source), -limit, limit).astype(np.int64)
    terms = values[0].size
    if 2 * terms > most:
        raise InputError(f"must sum at most {int(most / 2)} terms without wrapping", field=main.name, value=terms)
    return Weights(mode, values, np.ones(len(values)))


def _powers(main: Convolution, mode: Mode, most: float) -> Weights:
    """Return weights as powers of two, the largest as large as the PE and the width of its sums allow.

    What is too small beside the largest becomes zero, or the least power where the PE has no zero.
    """
    magnitude = np.abs(main.weight)
    power = np.rint(np.log2(np.where(magnitude > 0, magnitude, magnitude.max() or 1.0))).astype(np.int64)
    top = int(power.max())
    highest = mode.point if mode.right else mode.largest
    for shrink in range(mode.largest + 1):
        place = highest - shrink + power - top
        least = highest - mode.largest
        kept = (magnitude > 0) & (place >= least)
        values = np.where(kept | (not mode.zero), 1 << np.maximum(place, least), 0)
        if (values.reshape(len(values), -1).sum(1) >> mode.dropped).max() <= most:
            signed = np.where(main.weight < 0, -values, values)
            return Weights(mode, signed, np.full(len(values), 2.0 ** (top - highest + shrink + mode.dropped)))
    raise InputError("must have fewer terms for its sums not to wrap", field=main.name, value=main.weight[0].size)
