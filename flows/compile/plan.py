"""The commands of a network, and when their weights are loaded; what the weights are does not matter here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from flows.compile import tiling
from flows.compile.integer import Layer, Reduce, Sum
from flows.compile.tiling import Cut, Piece
from rtl.accelerator import Accelerator
from rtl.control import Command, Convolution, Load, Pooling, Post
from rtl.control.command import Target
from rtl.control.tiling import Tensor, Window
from rtl.memory import Coordinate, Nest

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Work:
    """A command whose weights and parameters are still to be placed.

    Attributes
    ----------
    layer
        What it belongs to.
    piece
        What it does of the layer; of a pooling None.
    command
        With weights and parameters at address 0.
    words
        Of parameters and of weights that it needs, in the order in which they are loaded: a load waits for the one
        before, so the longest, which goes on beside a command, is the last.
    """

    layer: Layer
    piece: Piece | None
    command: Convolution | Pooling
    words: dict[Target, int]


Place = Callable[[Work, Target], int]
"""Word of the external memory where the weights or parameters of a command lie."""


def work_of(layer: Layer, channels: int, tensors: Tensors, accelerator: Accelerator, cut: Cut) -> list[Work]:
    """Return the commands of a layer that reads ``channels`` channels, cut as wanted.

    Raises
    ------
    InputError
        If the memories hold too little, with what would do.
    """
    main = layer.main
    window = Window(
        source=tensors[layer.source], target=tensors[layer.output], kernel=main.kernel, stride=main.geometry.stride,
        padding=main.geometry.padding, dilation=main.geometry.dilation,
    )  # fmt: skip
    post = _post(layer, tensors, accelerator)
    if isinstance(main, Reduce):
        return [Work(layer, None, _pooling(main, window, post, accelerator), {"parameters": 1})]
    found = []
    for job in tiling.jobs(main, channels, accelerator):
        for piece in tiling.pieces(layer, main, job, window.target, accelerator, cut):
            command = _convolution(piece, main, window, post, accelerator)
            words: dict[Target, int] = {} if piece.sums_write else {"parameters": piece.tiles}
            words["weights"] = piece.tiles * tiling.beats_of(piece, main, accelerator.lanes)
            found.append(Work(layer, piece, command, words))
    return found


def scheduled(work: Sequence[Work], accelerator: Accelerator, place: Place) -> Iterator[tuple[str, Command]]:
    """Yield the commands, each with its layer, and with what they need loaded before.

    That goes on in the background of the command before where both fit. Weights and parameters lie at the low end of
    their memories for one command and at the high end for the next.
    """
    ahead = False
    for index, item in enumerate(work):
        if not ahead:
            yield from _loads(item, index, accelerator, place, wait=False)
        following = work[index + 1] if index + 1 < len(work) else None
        ahead = following is not None and _beside(item, following, accelerator)
        if following is not None and ahead:  # its loads wait for those of this command
            yield from _loads(following, index + 1, accelerator, place, wait=True)
        yield item.layer.name, _placed(item, index, accelerator, wait=not ahead)


def _post(layer: Layer, tensors: Tensors, accelerator: Accelerator) -> Post:
    residual = None
    if layer.residual:
        residual = (tensors[layer.residual].base - tensors[layer.output].base) * accelerator.slices
    return Post(
        shift=layer.shift, low=layer.low, high=layer.high, residual=residual,
        residual_multiplier=layer.residual_multiplier, column_last=accelerator.columns - 1,
    )  # fmt: skip


def _pooling(main: Reduce, window: Window, post: Post, accelerator: Accelerator) -> Pooling:
    return Pooling(
        read=window.read(window.source.words, words=1, advance=1), write=window.write_pooled(accelerator.slices),
        post=post, maximum=main.maximum,
    )  # fmt: skip


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


def _beside(item: Work, following: Work, accelerator: Accelerator) -> bool:
    """Whether the weights and parameters of two commands fit at the same time."""
    return all(
        item.words.get(target, 0) + following.words.get(target, 0) <= accelerator.memories[target].depth
        for target in ("weights", "parameters")
    )


def _address(item: Work, target: Target, index: int, accelerator: Accelerator) -> int:
    return 0 if index % 2 == 0 else accelerator.memories[target].depth - item.words.get(target, 0)


def _loads(
    item: Work, index: int, accelerator: Accelerator, place: Place, wait: bool
) -> Iterator[tuple[str, Command]]:
    for target, words in item.words.items():
        yield item.layer.name, Load(
            target=target, address=_address(item, target, index, accelerator), count=words,
            external=place(item, target), background=True, wait_for_loads=wait,
        )  # fmt: skip
        wait = False


def _placed(item: Work, index: int, accelerator: Accelerator, wait: bool) -> Command:
    post = item.command.post.model_copy(update={"parameters": _address(item, "parameters", index, accelerator)})
    command = item.command.model_copy(update={"post": post, "wait_for_loads": wait})
    if isinstance(command, Pooling):
        return command
    start = _address(item, "weights", index, accelerator)
    return command.model_copy(update={"weights": command.weights.model_copy(update={"start": start})})
