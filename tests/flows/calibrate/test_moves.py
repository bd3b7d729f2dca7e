"""Bits that move in an array's storage, against registers counted one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.calibrate import moves
from rtl import shapes
from rtl.array import SystolicArray, sides
from rtl.pe import find
from tests.rtl.array.bench import random_beats

ARRAYS = (
    SystolicArray(rows=2, columns=3, pe=find("int4_mac")),
    SystolicArray(rows=3, columns=1, pe=find("shiftadd8"), buffered_tiles=1),
    SystolicArray(rows=1, columns=2, pe=find("fusible4"), buffered_tiles=3),
)


def changes(words, bits):
    """Bits that change in a register that holds zero and then takes the words."""
    held, count = 0, 0
    for word in words:
        taken = int(word) % (1 << bits)
        count, held = count + (held ^ taken).bit_count(), taken
    return count


@pytest.mark.parametrize("array", ARRAYS, ids=lambda one: one.pe.key)
def test_registers_between_the_elements(array):
    """A line has a register wherever a beat is on its way, of every operand that passes there."""
    marks = array.span * (1 + 2)  # valid, first and last
    operands = 0
    for name, form in array.pe.operands.items():
        for row in range(array.rows):
            for column in range(array.columns):
                side = next(side for side in ("rows", "columns", "common") if name in sides.operands(array.pe, side))
                entry = {"rows": column == array.columns - 1, "columns": row == 0, "common": (row, column) == (0, array.columns - 1)}
                operands += shapes.width(form) * (array.distance(row, column) if entry[side] else 0)
    assert moves.line_bits(array) == marks + operands
    assert moves.drain_bits(array) == array.rows * array.row_layout.size


@given(st.sampled_from(ARRAYS), st.integers(1, 9), st.integers(1, 4), st.integers(0, 99))
def test_lines_change_stage_by_stage(array, terms, sums, seed):
    last = np.arange(terms * sums) % terms == terms - 1
    beats = moves.Beats(np.roll(last, 1), last, random_beats(array, last, seed), runs=3)
    count = 6 * array.span + sum(array.span * changes(mark, 1) for mark in (beats.first, beats.last))
    for name, values in beats.operands.items():
        bits = shapes.width(array.pe.operands[name])
        if name in sides.operands(array.pe, "rows"):
            count += sum(array.distance(row, array.columns - 1) * changes(values[:, row], bits) for row in range(array.rows))
        elif name in sides.operands(array.pe, "columns"):
            count += sum(array.distance(0, column) * changes(values[:, column], bits) for column in range(array.columns))
        else:
            count += array.span * changes(values, bits)
    assert moves.lines(array, beats) == moves.Moves(count, 2 * 3 * (moves.line_bits(array) - array.span))


@given(st.sampled_from(ARRAYS), st.integers(1, 7), st.integers(0, 99))
def test_drain_and_buffer_change_row_by_row(array, tiles, seed):
    bits, depth = array.result_shape.width, moves.buffer_words(array)
    results = np.random.default_rng(seed).integers(-(1 << bits - 1), 1 << bits - 1, (tiles, array.rows, array.columns))
    shown = {place: [] for place in np.ndindex(array.rows, array.columns)}
    ring = {place: [] for place in np.ndindex(depth, array.columns)}
    written = 0
    for tile in results.tolist():
        held = tile
        for _ in range(array.rows):
            for (row, column), words in shown.items():
                words.append(held[row][column])
            for column, word in enumerate(held[0]):
                ring[written % depth, column].append(word)
            written += 1
            held = [*held[1:], held[-1]]  # the last row keeps what it has
    drained = sum(changes(words, bits) for words in shown.values())
    stored = sum(changes(words, bits) for words in ring.values())
    size = array.rows * array.columns * bits
    assert moves.drain(array, results) == moves.Moves(drained, 2 * size * tiles)
    assert moves.buffer(array, results) == moves.Moves(stored, written=size * tiles)


@pytest.mark.parametrize("terms", [2, 50])
@pytest.mark.parametrize("array", ARRAYS, ids=lambda one: one.pe.key)
def test_of_unknown_operands_half_of_the_bits_change(array, terms):
    """As of uniform ones, but settings."""
    sums = 4000 // terms
    last = np.arange(terms * sums) % terms == terms - 1
    operands = {
        name: np.random.default_rng(0).integers(0, 1 << shapes.width(array.pe.operands[name]), values.shape)
        for name, values in random_beats(array, last, 0).items()
    }
    operands |= {name: np.zeros(len(last), int) for name in sides.operands(array.pe, "common")}
    results = np.random.default_rng(1).integers(0, 1 << array.result_shape.width, (sums, array.rows, array.columns))
    lines, buffer = moves.unknown(array, len(last), sums, runs=2)
    known = moves.lines(array, moves.Beats(np.roll(last, 1), last, operands, runs=2)) + moves.drain(array, results)
    assert lines.enabled == known.enabled
    assert lines.stored == pytest.approx(known.stored, rel=0.01)
    assert buffer.written == moves.buffer(array, results).written
    assert buffer.stored == pytest.approx(moves.buffer(array, results).stored, rel=0.05)
