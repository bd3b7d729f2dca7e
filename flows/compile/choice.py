"""Which cut each layer gets: the one with the fewest cycles between its neighbours, by the exact cycle model."""

from __future__ import annotations

from collections.abc import Sequence

from flows.compile import tiling
from flows.compile.integer import IntegerGraph, Sum
from flows.compile.plan import Tensors, Work, scheduled, work_of
from flows.compile.tiling import Cut
from flows.verify.accelerator import Memory
from flows.verify.accelerator_cycles import predict
from rtl.accelerator import Accelerator

PASSES = 3
"""Most times that the layers are gone through."""


def chosen(graph: IntegerGraph, tensors: Tensors, accelerator: Accelerator) -> list[Work]:
    """Return the commands of a network.

    Every layer in turn takes the cut with which it and its two neighbours take the fewest cycles, until no layer
    changes its cut or `PASSES` are over.

    Raises
    ------
    InputError
        If the memories hold too little, with what would do.
    """
    layers = [options(graph, index, tensors, accelerator) for index in range(len(graph.layers))]
    best = [0] * len(layers)
    for _ in range(PASSES):
        before = list(best)
        for index, own in enumerate(layers):
            if len(own) > 1:
                behind = layers[index - 1][best[index - 1]] if index else []
                ahead = layers[index + 1][best[index + 1]] if index + 1 < len(layers) else []
                costs = [cycles([*behind, *work, *ahead], accelerator) for work in own]
                best[index] = costs.index(min(costs))
        if best == before:
            break
    return [work for own, index in zip(layers, best, strict=True) for work in own[index]]


def cycles(work: Sequence[Work], accelerator: Accelerator) -> int:
    """Return the cycles of commands with their loads, with a memory of the default latency."""
    commands = [command for _, command in scheduled(work, accelerator, lambda item, target: 0)]
    return predict(accelerator, commands, Memory()).cycles


def options(graph: IntegerGraph, index: int, tensors: Tensors, accelerator: Accelerator) -> list[list[Work]]:
    """Return what a layer's commands can be."""
    layer = graph.layers[index]
    channels = graph.shapes[layer.source][0]
    cuts = [Cut()]
    if isinstance(layer.main, Sum):
        cuts = tiling.cuts(layer, layer.main, channels, accelerator)
    return [work_of(layer, channels, tensors, accelerator, cut) for cut in cuts]
