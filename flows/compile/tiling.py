"""Cutting a convolution into commands: which outputs, which channels, which rows each of them does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from flows.compile.element import operands
from flows.compile.integer import Layer, Sum
from flows.compile.operators import Array, Pair
from hwsim.errors import InputError
from rtl.accelerator import Accelerator
from rtl.control.tiling import Tensor

MORE = 3
"""How many times the fewest commands of a layer are tried."""


@dataclass(frozen=True)
class Job:
    """Neighbouring filters whose sums have the same shape.

    Attributes
    ----------
    first, last
        Filters.
    start, stop
        First and last channel that the first tile of filters reads.
    advance
        Words of a pixel by which these move from tile to tile.
    masked
        Whether filters of other jobs lie in the same tiles.
    """

    first: int
    last: int
    start: int
    stop: int
    advance: int = 0
    masked: bool = False


@dataclass(frozen=True)
class Cut:
    """How a layer is cut into commands.

    Attributes
    ----------
    tiles
        Most tiles of filters of a command; None: as many as fit.
    words
        Most words of a pixel that a partial sum is of; None: as many as fit.
    """

    tiles: int | None = None
    words: int | None = None


@dataclass(frozen=True)
class Piece:
    """What one command does of a job.

    Attributes
    ----------
    tile, tiles
        First tile (of ``columns`` filters, counted from filter 0), and how many.
    word, words
        First word of a pixel that is read for the first tile, and how many.
    lane_first, lane_last
        Of the first and of the last of these words.
    row, rows
        First output row, and how many.
    sums_read, sums_write
        Whether partial sums come in and go out.
    """

    job: Job
    tile: int
    tiles: int
    word: int
    words: int
    lane_first: int
    lane_last: int
    row: int
    rows: int
    sums_read: bool = False
    sums_write: bool = False

    def channels(self, lanes: int) -> int:
        """Return how many channels a sum has, of a kernel position."""
        return (self.words - 1) * lanes + self.lane_last + 1 - self.lane_first


def jobs(main: Sum, channels: int, accelerator: Accelerator) -> list[Job]:
    """Return the jobs of a convolution.

    Weights of zero let a tile read the channels of several groups. Without them, each group is a job of its own.
    """
    filters, columns = len(main.weight), accelerator.columns
    depth, width = channels // main.groups, filters // main.groups
    if main.groups == 1:
        return [Job(0, filters - 1, 0, channels - 1)]
    if not main.mode.zero:
        return [
            Job(g * width, g * width + width - 1, g * depth, g * depth + depth - 1, masked=True)
            for g in range(main.groups)
        ]
    single = []
    for first in range(0, filters, columns):
        last = min(first + columns, filters) - 1
        single.append(Job(first, last, first // width * depth, (last // width + 1) * depth - 1))
    return _merged(single, accelerator.lanes)


def _merged(single: list[Job], lanes: int) -> list[Job]:
    """Join tiles whose channels lie alike in words that move on by the same number."""
    joined, steps = [single[0]], [0]
    for before, job in pairwise(single):
        alike = (before.start % lanes, before.stop - before.start) == (job.start % lanes, job.stop - job.start)
        step = job.start // lanes - before.start // lanes
        if alike and steps[-1] in (0, step + 1):
            steps[-1] = step + 1  # 0: not known yet
            joined[-1] = replace(joined[-1], last=job.last, advance=step)
        else:
            joined.append(job)
            steps.append(0)
    return joined


def block(target: Tensor, rows: int) -> Pair:
    """Return rows and columns of the output pixels that the array works on at a time: those that waste least."""
    shapes = [(down, rows // down) for down in range(1, rows + 1) if rows % down == 0]
    return min(shapes, key=lambda shape: -(-target.height // shape[0]) * -(-target.width // shape[1]))


def cuts(layer: Layer, main: Sum, channels: int, accelerator: Accelerator) -> list[Cut]:
    """Return the cuts worth trying: into as few commands as fit the memories, up to `MORE` times as many.

    Raises
    ------
    InputError
        If the memories hold too little, with what would do.
    """
    found = set[Cut]()
    for job in jobs(main, channels, accelerator):
        whole = _whole(main, job, 1, accelerator)
        beats = beats_of(whole, main, accelerator.lanes)
        if beats <= accelerator.weight_words:
            most = min(accelerator.weight_words // beats, accelerator.parameter_words)
            found |= {Cut(tiles=size) for size in _shares(whole.tiles, most)}
        else:
            most = accelerator.weight_words // _word_beats(layer, main, accelerator)
            found |= {Cut(words=size) for size in _shares(whole.words, most)}
    return sorted(found, key=lambda cut: (-(cut.tiles or 0), -(cut.words or 0)))


def _shares(total: int, most: int) -> set[int]:
    """Sizes of the largest share when ``total`` is shared out, none larger than ``most``."""
    least = -(-total // most)
    return {-(-total // parts) for parts in range(least, min(MORE * least + MORE, total) + 1)}


def pieces(layer: Layer, main: Sum, job: Job, target: Tensor, accelerator: Accelerator, cut: Cut) -> list[Piece]:
    """Return the commands of a job.

    A tile with more weights than there is room for is split into partial sums over its channels.

    Raises
    ------
    InputError
        If the memories hold too little, with what would do.
    """
    whole = _whole(main, job, target.height, accelerator)
    beats = beats_of(whole, main, accelerator.lanes)
    if beats <= accelerator.weight_words:
        most = min(accelerator.weight_words // beats, accelerator.parameter_words)
        return list(_by_tile(whole, min(cut.tiles or most, most)))
    most = accelerator.weight_words // _word_beats(layer, main, accelerator)
    parts = list(_by_words(whole, min(cut.words or most, most), accelerator.lanes))
    bands = _bands(layer, target, accelerator)
    return [
        replace(part, tile=one.tile, tiles=1, word=part.word + one.word - whole.word, row=row, rows=rows)
        for one in _by_tile(whole, 1) for row, rows in bands for part in parts
    ]  # fmt: skip


def _whole(main: Sum, job: Job, rows: int, accelerator: Accelerator) -> Piece:
    """Return a job as one piece."""
    lanes, elements = accelerator.lanes, main.mode.elements
    start, stop = job.start // elements * elements, -(-(job.stop + 1) // elements) * elements - 1
    word, words = start // lanes, stop // lanes - start // lanes + 1
    tile = job.first // accelerator.columns
    tiles = job.last // accelerator.columns - tile + 1
    return Piece(job, tile, tiles, word, words, start % lanes, stop % lanes, 0, rows)


def beats_of(piece: Piece, main: Sum, lanes: int) -> int:
    """Return the beats of a sum: words of weights of a tile."""
    return main.kernel[0] * main.kernel[1] * piece.channels(lanes) // main.mode.elements


def _by_tile(piece: Piece, step: int) -> Iterator[Piece]:
    for done in range(0, piece.tiles, step):
        moved = piece.word + done * piece.job.advance
        yield replace(piece, tile=piece.tile + done, tiles=min(step, piece.tiles - done), word=moved)


def _word_beats(layer: Layer, main: Sum, accelerator: Accelerator) -> int:
    """Return the beats of a word of all kernel positions; an error if there is no room for their weights."""
    positions = main.kernel[0] * main.kernel[1]
    beats = positions * accelerator.lanes // main.mode.elements
    if beats > accelerator.weight_words:
        rule = f"must be at least {beats} for the {positions} kernel positions of layer {layer.name}"
        raise InputError(rule, field="weight_words", value=accelerator.weight_words)
    return beats


def _by_words(piece: Piece, step: int, lanes: int) -> Iterator[Piece]:
    """Parts over the words of a pixel."""
    for done in range(0, piece.words, step):
        count = min(step, piece.words - done)
        begins, ends = done == 0, done + count == piece.words
        yield replace(
            piece, word=piece.word + done, words=count, lane_first=piece.lane_first if begins else 0,
            lane_last=piece.lane_last if ends else lanes - 1, sums_read=not begins, sums_write=not ends,
        )  # fmt: skip


def _bands(layer: Layer, target: Tensor, accelerator: Accelerator) -> list[tuple[int, int]]:
    """First row and rows of the parts of an output whose partial sums fit."""
    down, right = block(target, accelerator.rows)
    sums = -(-target.width // right) * accelerator.rows
    if sums > accelerator.sum_words:
        rule = f"must be at least {sums} for the partial sums of layer {layer.name}, whose weights exceed weight_words"
        raise InputError(rule, field="sum_words", value=accelerator.sum_words)
    step = accelerator.sum_words // sums * down
    return [(row, min(step, target.height - row)) for row in range(0, target.height, step)]


def weights(piece: Piece, main: Sum, channels: int, accelerator: Accelerator) -> Array:
    """Return the words of a piece's weights: tile, kernel row, kernel column, channels of a beat."""
    lanes, columns, mode = accelerator.lanes, accelerator.columns, main.mode
    depth, width = channels // main.groups, len(main.weight) // main.groups
    played = piece.channels(lanes)
    words = []
    for tile in range(piece.tiles):
        first = (piece.word + tile * piece.job.advance) * lanes + piece.lane_first
        dense = np.zeros((columns, played, *main.kernel), np.int64)
        for column in range(columns):
            index = (piece.tile + tile) * columns + column
            if piece.job.first <= index <= piece.job.last:
                begin = index // width * depth  # channels of its group
                low, high = max(begin, first), min(begin + depth, first + played)
                if low < high:
                    dense[column, low - first : high - first] = main.weight[index, low - begin : high - begin]
        beats = mode.codes(dense).transpose(2, 3, 1, 0).reshape(-1, mode.elements, columns)
        words.append(operands(accelerator, mode, beats))
    return np.concatenate(words)


def parameters(piece: Piece, layer: Layer, accelerator: Accelerator) -> Array:
    """Return the words of a piece's biases and multipliers; those of no filter are zero."""
    columns = accelerator.columns
    places = np.arange(piece.tile * columns, (piece.tile + piece.tiles) * columns)
    real = (places >= piece.job.first) & (places <= piece.job.last)
    known = np.where(real, places, piece.job.first)
    both = [np.where(real, values[known], 0).reshape(piece.tiles, columns) for values in (layer.bias, layer.multiplier)]
    return np.concatenate(both, axis=1)
