"""A compiled network: what it computes, exactly, and what the accelerator needs to compute it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from flows.compile import reference
from flows.compile.bundle import Bundle, Layout, Part, Port, digest
from flows.compile.calibrate import ranges
from flows.compile.capture import capture
from flows.compile.integer import IntegerGraph, Layer, Sum
from flows.compile.lower import Lowered, lower
from flows.compile.program import export
from flows.compile.quantise import quantise
from flows.compile.stages import fuse
from hwsim.errors import InputError
from rtl.accelerator import Accelerator
from rtl.control import Command, Convolution, Load


@dataclass(frozen=True)
class Network:
    """A network for one accelerator.

    Attributes
    ----------
    graph
        The network in integers.
    bundle
        Program and memory.
    commands
        The program.
    """

    graph: IntegerGraph
    bundle: Bundle
    commands: tuple[Command, ...]

    def integers(self, images: Tensor) -> Tensor:
        """Return images in the integers that the accelerator takes: int64 ``(samples, channels, rows, columns)``.

        Raises
        ------
        InputError
            If the images have another shape.
        """
        shape = self.graph.shapes[self.graph.input]
        if images.shape[1:] != shape and (*images.shape[1:], 1, 1) != shape:
            raise InputError(f"must have the shape (samples, *{shape})", field="images", value=tuple(images.shape))
        steps = (images.reshape(-1, *shape).double() / self.graph.scales[self.graph.input]).round()
        return steps.clamp(*self.graph.limits).long()

    def reference(self, images: Tensor) -> Tensor:
        """Return the output's integers by the PyTorch reference."""
        return reference.run(self.graph, self.integers(images))[self.graph.output]

    def run(self, images: Tensor) -> Tensor:
        """Return the output's integers by the program, which the accelerator's NumPy model runs for every image."""
        return torch.from_numpy(self.bundle.run(self.integers(images).numpy()))

    def scores(self, integers: Tensor) -> Tensor:
        """Return the real numbers that integers of the output stand for."""
        return integers.double() * self.graph.scales[self.graph.output]


def compile_network(
    model: nn.Module | ExportedProgram, images: Tensor, accelerator: Accelerator, *, percentile: float = 100.0,
    host_ops: bool = False,
) -> Network:  # fmt: skip
    """Return ``model`` as a program of the accelerator.

    Parameters
    ----------
    model
        Layers of PyTorch and of `models.layers`, or what `torch.export` made of them.
    images
        Inputs ``(samples, ...)`` from which the scales of activations are taken.
    percentile
        Share of the magnitudes of each activation, in percent, that its range covers; 100: all.
    host_ops
        Leave what the accelerator cannot do to the host, if it comes last.

    Raises
    ------
    InputError
        If a layer cannot run, by its name, or the memories are too small, with what would do.
    """
    if not 50 < percentile <= 100:
        raise InputError("must be above 50 and at most 100", field="percentile", value=percentile)
    if len(images) < 1 or not images.isfinite().all():
        raise InputError("must be at least one sample of finite numbers", field="images", value=tuple(images.shape))
    program = export(model, images[:2])
    split = capture(program, host_ops=host_ops)
    stages = fuse(split.graph)
    tensors = {split.graph.input, *(stage.output for stage in stages)}
    graph = quantise(split.graph, stages, ranges(program, images, tensors, percentile), accelerator)
    return assemble(graph, accelerator, split.host)


def assemble(graph: IntegerGraph, accelerator: Accelerator, host: tuple[str, ...] = ()) -> Network:
    """Return an integer network with its program and memory.

    Raises
    ------
    InputError
        If it does not fit the memories, with what would do.
    """
    lowered = lower(graph, accelerator)
    layout = Layout(
        program=lowered.program, input=_port(graph, graph.input, lowered.input),
        output=_port(graph, graph.output, lowered.output), layers=tuple(_parts(graph, lowered)),
        owners=tuple(_owners(graph, lowered)), host=host, sha256=digest(lowered.memory),
    )  # fmt: skip
    return Network(graph, Bundle(accelerator, layout, lowered.memory), lowered.commands)


def _port(graph: IntegerGraph, name: str, word: int) -> Port:
    return Port(word=word, shape=graph.shapes[name], scale=graph.scales[name])


def _owners(graph: IntegerGraph, lowered: Lowered) -> Iterator[int]:
    numbers = {layer.name: number for number, layer in enumerate(graph.layers)}
    return (numbers.get(name, -1) for name in lowered.layers)


def _parts(graph: IntegerGraph, lowered: Lowered) -> Iterator[Part]:
    for layer in graph.layers:
        own = [command for command, name in zip(lowered.commands, lowered.layers, strict=True) if name == layer.name]
        convolutions = [command for command in own if isinstance(command, Convolution)]
        loads = [command for command in own if isinstance(command, Load) and command.target == "weights"]
        main, (_, rows, columns) = layer.main, graph.shapes[layer.output]
        term, macs = (main.mode.term, main.weight.size * rows * columns) if isinstance(main, Sum) else (None, 0)
        yield Part(
            name=layer.name, commands=len(own), beats=sum(command.weights.steps for command in convolutions),
            weight_words=sum(command.count for command in loads), term=term, macs=macs, bits=_bits(layer, graph),
        )  # fmt: skip


def _bits(layer: Layer, graph: IntegerGraph) -> int:
    """Return the bits of everything that a layer reads or writes, each once."""
    low, high = graph.limits
    names = [layer.source, layer.output, *([layer.residual] if layer.residual else [])]
    activations = sum(math.prod(graph.shapes[name]) for name in names)
    weights = layer.main.weight.size * layer.main.mode.bits if isinstance(layer.main, Sum) else 0
    return activations * (high - low).bit_length() + weights
