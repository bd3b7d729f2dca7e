"""Bits that move in the storage of a systolic array, beside its PEs: operand lines, drain registers, result buffer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.technology.storage import Moves
from rtl import shapes
from rtl.array import SystolicArray, sides

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Beats:
    """What an array takes.

    Attributes
    ----------
    first, last
        Where sums start and end, of shape ``(beats,)``.
    operands
        By name, of shape ``(beats, rows)``, ``(beats, columns)`` or ``(beats,)``.
    runs
        How many times beats follow beats until there is a cycle without one.
    """

    first: NDArray[np.bool_]
    last: NDArray[np.bool_]
    operands: Mapping[str, Integers]
    runs: float = 1


def line_bits(array: SystolicArray) -> int:
    """Return the registers of all lines, those of valid too."""
    return array.span + sum(bits * stages for _, _, bits, stages in _lines(array))


def drain_bits(array: SystolicArray) -> int:
    """Return the drain registers."""
    width: int = array.result_shape.width
    return array.rows * array.columns * width


def buffer_words(array: SystolicArray) -> int:
    """Return how many rows of results the buffer holds."""
    return array.buffered_tiles * array.rows


def lines(array: SystolicArray, beats: Beats) -> Moves:
    """Return what moves in the lines of operands, of first and last, and of valid."""
    words = {name: values.reshape(len(beats.first), -1) for name, values in beats.operands.items()}
    words |= {"first": beats.first[:, None].astype(np.int64), "last": beats.last[:, None].astype(np.int64)}
    stored = array.span * 2 * beats.runs
    stored += sum(stages * toggled(words[name][:, place], bits) for name, place, bits, stages in _lines(array))
    return Moves(stored, _enabled(array, beats.runs))


def drain(array: SystolicArray, results: Integers) -> Moves:
    """Return what moves in the drain registers: in shifts, a row shows itself and all rows below, in order.

    Parameters
    ----------
    results
        Of shape ``(sums, rows, columns)``.
    """
    through = (results[:, row:].reshape(-1, array.columns) for row in range(array.rows))
    moved = sum(toggled(passing, array.result_shape.width) for passing in through)
    return Moves(moved, 2 * drain_bits(array) * len(results))


def buffer(array: SystolicArray, results: Integers) -> Moves:
    """Return what moves in the result buffer: each row is written over the one a buffer's depth before."""
    bits, depth, rows = array.result_shape.width, buffer_words(array), results.reshape(-1, array.columns)
    stored = sum(toggled(rows[slot::depth], bits) for slot in range(depth))
    return Moves(stored, written=rows.size * bits)


def unknown(array: SystolicArray, beats: int, sums: int, runs: float) -> tuple[Moves, Moves]:
    """Return what moves in lines and drain, and in the buffer, if half of the bits change that may.

    Common operands hold still; first and last come and go once a sum.
    """
    still = {*sides.operands(array.pe, "common"), "first", "last"}
    changing = sum(bits * stages for name, _, bits, stages in _lines(array) if name not in still)
    shifted = sums * array.row_layout.size * array.rows * (array.rows + 1) / 2
    stored = array.span * (2 * runs + 4 * sums) + (beats * changing + shifted) / 2
    written = sums * drain_bits(array)
    return Moves(stored, _enabled(array, runs) + 2 * written), Moves(written / 2, written=written)


def toggled(words: Integers, bits: int) -> int:
    """Return how many of the lower ``bits`` change from a word to the next; from zero at first."""
    held = words & ((1 << bits) - 1)
    return int(np.bitwise_count(held[1:] ^ held[:-1]).sum() + np.bitwise_count(held[:1]).sum())


def _enabled(array: SystolicArray, runs: float) -> float:
    """Each stage of a line is enabled and disabled once a run; that of valid always is."""
    return 2 * runs * (line_bits(array) - array.span)


def _lines(array: SystolicArray) -> Iterator[tuple[str, int, int, int]]:
    """Yield of each line what passes, of which row or column, its bits and its stages."""
    stages = {
        "rows": [array.distance(row, array.columns - 1) for row in range(array.rows)],
        "columns": [array.distance(0, column) for column in range(array.columns)], "common": [array.span],
    }  # fmt: skip
    for side in ("rows", "columns", "common"):
        for name, form in sides.operands(array.pe, side).items():
            for place, length in enumerate(stages[side]):
                yield name, place, shapes.width(form), length
    for mark in ("first", "last"):
        yield mark, 0, 1, array.span
