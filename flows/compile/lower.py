"""From the integer network to commands, memory images and their addresses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from flows.compile import tiling
from flows.compile.images import Memory
from flows.compile.integer import IntegerGraph, Layer, Reduce, Sum
from flows.compile.memory import allocate
from flows.compile.operators import Array
from flows.compile.tiling import Piece
from rtl.accelerator import Accelerator
from rtl.control import Command, Convolution, Halt, Load, Pooling, Post, Store
from rtl.control.command import Target
from rtl.control.tiling import Tensor, Window
from rtl.memory import Coordinate, Nest


@dataclass(frozen=True)
class Work:
    """A command whose weights and parameters are still to be placed.

    Attributes
    ----------
    layer
        What it belongs to.
    command
        With weights and parameters at address 0.
    weights, parameters
        Words; none: without.
    """

    layer: str
    command: Convolution | Pooling
    weights: Array | None
    parameters: Array | None


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
    work = [item for layer in graph.layers for item in _work(layer, graph, tensors, accelerator)]
    image = Load(target="activations", address=source.base, count=source.size, external=places[0])
    steps = [("", image), *_scheduled(work, memory, accelerator), ("", _store(target, places[1])), ("", Halt())]
    layers, commands = zip(*steps, strict=True)
    program = memory.add(accelerator.program(commands))
    return Lowered(commands, layers, tensors, places[0], places[1], program, memory.bytes())


def _work(layer: Layer, graph: IntegerGraph, tensors: dict[str, Tensor], accelerator: Accelerator) -> Iterator[Work]:
    main, channels = layer.main, graph.shapes[layer.source][0]
    window = Window(
        source=tensors[layer.source], target=tensors[layer.output], kernel=main.kernel, stride=main.geometry.stride,
        padding=main.geometry.padding, dilation=main.geometry.dilation,
    )  # fmt: skip
    post = _post(layer, tensors, accelerator)
    if isinstance(main, Reduce):
        yield _pooling(layer, main, window, post, accelerator)
        return
    for job in tiling.jobs(main, channels, accelerator):
        for piece in tiling.pieces(layer, main, job, window.target, accelerator):
            own = None if piece.sums_write else tiling.parameters(piece, layer, accelerator)
            command = _convolution(piece, main, window, post, accelerator)
            yield Work(layer.name, command, tiling.weights(piece, main, channels, accelerator), own)


def _post(layer: Layer, tensors: dict[str, Tensor], accelerator: Accelerator) -> Post:
    residual = None
    if layer.residual:
        residual = (tensors[layer.residual].base - tensors[layer.output].base) * accelerator.slices
    return Post(
        shift=layer.shift, low=layer.low, high=layer.high, residual=residual,
        residual_multiplier=layer.residual_multiplier, column_last=accelerator.columns - 1,
    )  # fmt: skip


def _pooling(layer: Layer, main: Reduce, window: Window, post: Post, accelerator: Accelerator) -> Work:
    command = Pooling(
        read=window.read(window.source.words, words=1, advance=1), write=window.write_pooled(accelerator.slices),
        post=post, maximum=main.maximum,
    )  # fmt: skip
    both = np.array([[layer.bias[0]] * accelerator.columns + [layer.multiplier[0]] * accelerator.columns])
    return Work(layer.name, command, None, both)


def _convolution(piece: Piece, main: Sum, window: Window, post: Post, accelerator: Accelerator) -> Convolution:
    source, target, slices = window.source, window.target, accelerator.slices
    lanes = tiling.block(target, accelerator.rows)
    read = window.read(piece.tiles, lanes, piece.words, piece.word, piece.job.advance)
    write = window.write(piece.tiles, slices, lanes, piece.tile)
    weights = window.weights(piece.tiles, tiling.beats_of(piece, main, accelerator.lanes), lanes)
    if piece.rows < target.height:
        first = piece.row * window.stride[0]
        read = _banded(read, piece.rows, lanes[0], first * source.width * source.words, first, source.height)
        step = piece.row * target.width * target.words * slices
        write = _banded(write, piece.rows, lanes[0], step, 0, piece.rows)
        weights = weights.model_copy(
            update={"counts": (piece.tiles, read.counts[1] * read.counts[2], weights.counts[2])}
        )
    changed: dict[str, object] = {"sums_read": piece.sums_read, "sums_write": piece.sums_write}
    if piece.job.masked:
        changed |= _mask(piece, accelerator.columns)
    if piece.sums_write:
        changed |= {"residual": None, "residual_multiplier": 0}
    return Convolution(
        read=read, write=write, weights=weights, post=post.model_copy(update=changed), lane_first=piece.lane_first,
        lane_last=piece.lane_last, elements=main.mode.elements, common=main.mode.common,
    )  # fmt: skip


def _mask(piece: Piece, columns: int) -> dict[str, object]:
    """Return the columns of a job in the first and in the last tile of a piece."""
    job, last = piece.job, piece.tile + piece.tiles - 1
    return {
        "column_first": job.first % columns if piece.tile == job.first // columns else 0,
        "column_last": job.last % columns if last == job.last // columns else columns - 1,
    }


def _banded(nest: Nest, rows: int, block: int, step: int, first: int, size: int) -> Nest:
    """Return a nest over some rows of the output: moved by ``step`` words, its first coordinate by ``first``."""
    y, x = nest.coordinates
    moved = Coordinate(start=y.start + first, strides=y.strides, size=size)
    counts = (nest.counts[0], -(-rows // block), *nest.counts[2:])
    return nest.model_copy(update={"counts": counts, "start": nest.start + step, "coordinates": (moved, x)})


def _store(tensor: Tensor, external: int) -> Store:
    always = Coordinate(start=0, strides=(0,) * 8, size=1)
    line = tensor.width * tensor.words
    nest = Nest(
        counts=(1,) * 6 + (tensor.height, line), strides=(0,) * 6 + (line, 1), start=tensor.base,
        coordinates=(always, always),
    )  # fmt: skip
    return Store(read=nest, external=external)


def _scheduled(work: list[Work], memory: Memory, accelerator: Accelerator) -> Iterator[tuple[str, Command]]:
    """Yield the commands with what they need loaded before, in the background of the command before where both fit.

    Weights and parameters lie at the low end of their memories for one command and at the high end for the next.
    """
    ahead = False
    for index, item in enumerate(work):
        if not ahead:
            yield from _loads(item, index, memory, accelerator, wait=False)
        following = work[index + 1] if index + 1 < len(work) else None
        ahead = following is not None and _beside(item, following, accelerator)
        if following is not None and ahead:  # its loads wait for those of this command
            yield from _loads(following, index + 1, memory, accelerator, wait=True)
        yield item.layer, _placed(item, index, accelerator, wait=not ahead)


def _beside(item: Work, following: Work, accelerator: Accelerator) -> bool:
    """Whether the weights and parameters of two commands fit at the same time."""
    weights, parameters = (sum(map(_count, pair)) for pair in (
        (item.weights, following.weights), (item.parameters, following.parameters)
    ))  # fmt: skip
    return weights <= accelerator.weight_words and parameters <= accelerator.parameter_words


def _count(words: Array | None) -> int:
    return 0 if words is None else len(words)


def _address(words: Array | None, index: int, depth: int) -> int:
    return 0 if index % 2 == 0 else depth - _count(words)


def _loads(
    item: Work, index: int, memory: Memory, accelerator: Accelerator, wait: bool
) -> Iterator[tuple[str, Command]]:
    needed: tuple[tuple[Target, Array | None], ...] = (("weights", item.weights), ("parameters", item.parameters))
    for target, words in needed:
        if words is not None:
            place = _address(words, index, accelerator.memories[target].depth)
            external = memory.add(accelerator.pack(target, words))
            yield item.layer, Load(
                target=target, address=place, count=len(words), external=external, background=True,
                wait_for_loads=wait,
            )  # fmt: skip
            wait = False


def _placed(item: Work, index: int, accelerator: Accelerator, wait: bool) -> Command:
    post = item.command.post.model_copy(
        update={"parameters": _address(item.parameters, index, accelerator.parameter_words)}
    )
    command = item.command.model_copy(update={"post": post, "wait_for_loads": wait})
    if isinstance(command, Pooling):
        return command
    start = _address(item.weights, index, accelerator.weight_words)
    return command.model_copy(update={"weights": command.weights.model_copy(update={"start": start})})
