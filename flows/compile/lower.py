"""From the integer network to commands, memory images and their addresses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flows.compile import tiling
from flows.compile.choice import chosen
from flows.compile.images import Memory
from flows.compile.integer import IntegerGraph, Sum
from flows.compile.memory import allocate
from flows.compile.operators import Array
from flows.compile.plan import Work, scheduled
from rtl.accelerator import Accelerator
from rtl.control import Command, Halt, Load, Store
from rtl.control.command import Target
from rtl.control.tiling import Tensor
from rtl.memory import Coordinate, Nest


@dataclass(frozen=True)
class Lowered:
    """A network on an accelerator.

    Attributes
    ----------
    commands
        The program.
    layers
        Of each command the layer it belongs to; empty for transfers of images and the end.
    tensors
        Place of every tensor in the activations.
    input, output
        Words of the external memory where the images go in and come out.
    program
        Word of the external memory where the program begins.
    memory
        Bytes of the external memory, with images of zeros.
    """

    commands: tuple[Command, ...]
    layers: tuple[str, ...]
    tensors: dict[str, Tensor]
    input: int
    output: int
    program: int
    memory: Array


def lower(graph: IntegerGraph, accelerator: Accelerator) -> Lowered:
    """Return the program of a network.

    Raises
    ------
    InputError
        If it does not fit the memories, with what would do.
    """
    tensors = allocate(graph, accelerator)
    memory = Memory(accelerator)
    source, target = tensors[graph.input], tensors[graph.output]
    places = [memory.reserve(tensor.size * accelerator.port_words("activations")) for tensor in (source, target)]
    image = Load(target="activations", address=source.base, count=source.size, external=places[0])
    work = chosen(graph, tensors, accelerator)

    def place(item: Work, target: Target) -> int:
        return memory.add(accelerator.pack(target, _words(item, target, graph, accelerator)))

    steps = [("", image), *scheduled(work, accelerator, place), ("", _store(target, places[1])), ("", Halt())]
    layers, commands = zip(*steps, strict=True)
    program = memory.add(accelerator.program(commands))
    return Lowered(commands, layers, tensors, places[0], places[1], program, memory.bytes())


def _words(item: Work, target: Target, graph: IntegerGraph, accelerator: Accelerator) -> Array:
    """Return the weights or parameters of a command."""
    layer, main = item.layer, item.layer.main
    if item.piece is None or not isinstance(main, Sum):
        return np.array([[layer.bias[0]] * accelerator.columns + [layer.multiplier[0]] * accelerator.columns])
    if target == "parameters":
        return tiling.parameters(item.piece, layer, accelerator)
    return tiling.weights(item.piece, main, graph.shapes[layer.source][0], accelerator)


def _store(tensor: Tensor, external: int) -> Store:
    always = Coordinate(start=0, strides=(0,) * 8, size=1)
    line = tensor.width * tensor.words
    nest = Nest(
        counts=(1,) * 6 + (tensor.height, line), strides=(0,) * 6 + (line, 1), start=tensor.base,
        coordinates=(always, always),
    )  # fmt: skip
    return Store(read=nest, external=external)
