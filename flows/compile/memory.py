"""Where tensors lie in the activations: the lowest place that is free while a tensor lives."""

from __future__ import annotations

from dataclasses import dataclass

from flows.compile.integer import IntegerGraph, Layer, Sum
from flows.compile.operators import Image
from hwsim.errors import InputError
from rtl.accelerator import Accelerator
from rtl.control.tiling import Tensor


@dataclass(frozen=True)
class _Block:
    base: int
    size: int

    @property
    def end(self) -> int:
        return self.base + self.size


def allocate(graph: IntegerGraph, accelerator: Accelerator) -> dict[str, Tensor]:
    """Return the place of every tensor.

    A tensor lives from the layer that makes it to the last that reads it. A layer may write over its residual, and over
    its source if it reads one pixel for each that it writes, where they are not read again.

    Raises
    ------
    InputError
        If the activations are too small, with the words that would do.
    """
    last = {graph.input: 0}
    for index, layer in enumerate(graph.layers):
        last |= dict.fromkeys((layer.output, layer.source, *([layer.residual] if layer.residual else [])), index)
    last[graph.output] = len(graph.layers)
    sizes = {name: _words(shape, accelerator) for name, shape in graph.shapes.items()}
    placed = {graph.input: _Block(0, sizes[graph.input])}
    for index, layer in enumerate(graph.layers):
        living = {name: block for name, block in placed.items() if last[name] >= index}
        reused = _overwritten(graph, layer, index, last)
        if reused:
            placed[layer.output] = placed[reused]
        else:
            placed[layer.output] = _lowest(sizes[layer.output], list(living.values()))
        if placed[layer.output].end > accelerator.activation_words:
            held = {name: sizes[name] for name in (*living, layer.output)}
            raise InputError(
                f"must be at least {placed[layer.output].end} for layer {layer.name}, which holds {held} words",
                field="activation_words", value=accelerator.activation_words,
            )  # fmt: skip
    return {
        name: Tensor(base=block.base, height=rows, width=columns, words=-(-channels // accelerator.lanes))
        for name, block in placed.items()
        for channels, rows, columns in [graph.shapes[name]]
    }


def _words(shape: Image, accelerator: Accelerator) -> int:
    channels, rows, columns = shape
    return rows * columns * -(-channels // accelerator.lanes)


def _overwritten(graph: IntegerGraph, layer: Layer, index: int, last: dict[str, int]) -> str:
    """Return the tensor whose place the output may take; empty: none."""
    residual = layer.residual
    if residual and last[residual] == index and residual != layer.source:
        return residual
    main = layer.main
    pointwise = not isinstance(main, Sum) and main.kernel == main.geometry.stride == (1, 1)
    if pointwise and last[layer.source] == index and residual in ("", layer.source):
        return layer.source
    return ""


def _lowest(size: int, living: list[_Block]) -> _Block:
    base = 0
    for block in sorted(living, key=lambda block: block.base):
        if base + size <= block.base:
            break
        base = max(base, block.end)
    return _Block(base, size)
