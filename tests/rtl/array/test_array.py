"""The array in Amaranth's simulator: results of its twin, cycles of its formula, for every kind of PE."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.cost.accelerator import ArrayTiming, Tile
from hwsim.errors import InputError
from rtl.array import SystolicArray
from rtl.pe import CATALOG, find
from rtl.pe.adder import AdderPE
from rtl.pe.integer import IntegerMac
from tests.rtl.array.bench import random_beats, simulate

SMALL = AdderPE(bits=2, accumulator=5)

KINDS = (
    "int8_mac", "int8_mac_piped", "shift8", "shift8_piped", "adder8", "shiftadd8_piped", "adder8_last", "matadd8", "matadd8_signed",
    "ternary8", "ternary4_piped", "fusible4", "fusible8_piped", "serial4", "psg4x6", "simhash8x4", "e4m3_mac",
)  # fmt: skip


def ends(lengths):
    """Marks of the last beats of tiles of these lengths."""
    last = np.zeros(sum(lengths), bool)
    last[np.cumsum(lengths) - 1] = True
    return last


def test_every_kind_of_pe_of_the_library_is_tested_in_an_array():
    assert {find(name).key for name in KINDS} == {pe.key for pe in CATALOG.values()}


@pytest.mark.parametrize("name", KINDS)
def test_results_are_the_twins(name):
    array = SystolicArray(rows=2, columns=3, pe=find(name))
    last = ends([5, 1, 1, 7, 2, 9, 1, 3])
    operands = random_beats(array, last, seed=5)
    found = simulate(array, last, operands)
    np.testing.assert_array_equal(found.tiles(array), array.compute(np.roll(last, 1), last, **operands))


@pytest.mark.parametrize(("name", "result"), [("psg4x6", "sign"), ("psg4x6", "sure"), ("simhash8x4", "hash")])
def test_another_result_than_the_sum_leaves_the_array(name, result):
    array = SystolicArray(rows=3, columns=2, pe=find(name), result=result)
    last = ends([6, 1, 8, 4])
    operands = random_beats(array, last, seed=6)
    expected = array.compute(np.roll(last, 1), last, **operands)
    assert len(np.unique(expected)) > 1
    np.testing.assert_array_equal(simulate(array, last, operands).tiles(array), expected)


def test_it_multiplies_matrices():
    array = SystolicArray(rows=4, columns=3, pe=IntegerMac())
    generator = np.random.default_rng(0)
    x, w = generator.integers(-128, 128, (5, 4, 9)), generator.integers(-128, 128, (5, 9, 3))
    operands = {"x": x.transpose(0, 2, 1).reshape(45, 4), "w": w.reshape(45, 3)}
    np.testing.assert_array_equal(simulate(array, ends([9] * 5), operands).tiles(array), x @ w)


def test_operands_of_an_eight_by_eight_array_reach_their_pes():
    array = SystolicArray(rows=8, columns=8, pe=find("shift8"))
    last = ends([17, 15, 3, 16])
    operands = random_beats(array, last, seed=7)
    found = simulate(array, last, operands)
    np.testing.assert_array_equal(found.tiles(array), array.compute(np.roll(last, 1), last, **operands))
    assert found.cycles == ArrayTiming(8, 8).cycles([Tile(17), Tile(15), Tile(3), Tile(16)])


def test_first_clears_in_the_middle_of_a_tile_and_without_it_a_sum_goes_on():
    array = SystolicArray(rows=2, columns=2, pe=IntegerMac())
    last = ends([4, 4, 3, 5])
    first = np.zeros(16, bool)
    first[[0, 2, 8, 13]] = True
    operands = random_beats(array, last, seed=11)
    expected = array.compute(first, last, **operands)
    np.testing.assert_array_equal(simulate(array, last, operands, first=first).tiles(array), expected)


@pytest.mark.parametrize("cycles", range(1, 14))
def test_a_reset_in_mid_run_leaves_nothing_behind(cycles):
    array = SystolicArray(rows=3, columns=2, pe=find("shift8_piped"), buffered_tiles=1)
    last = ends([2, 5, 1])
    operands = random_beats(array, last, seed=12)
    found = simulate(array, last, operands, reset_after=cycles)
    np.testing.assert_array_equal(found.tiles(array), array.compute(np.roll(last, 1), last, **operands))
    timing = ArrayTiming(3, 2, array.pe.latency, buffered_tiles=1)
    assert found.cycles == timing.cycles([Tile(2), Tile(5), Tile(1)])


@st.composite
def runs(draw):
    """An array, tiles, and how source and sink stall."""
    size = st.integers(1, 4)
    pe = draw(st.sampled_from([SMALL, SMALL.model_copy(update={"stages": 2, "restart": "last"}), find("serial4")]))
    array = SystolicArray(rows=draw(size), columns=draw(size), pe=pe, buffered_tiles=draw(st.integers(1, 3)))
    lengths = draw(st.lists(st.integers(1, 7), min_size=1, max_size=8))
    stall = st.sampled_from([0, 0, 0, 1, 2, 9])
    idle = draw(st.lists(stall, min_size=sum(lengths), max_size=sum(lengths)))
    rows = array.rows * len(lengths)
    waits = draw(st.one_of(st.just([0] * rows), st.lists(stall, min_size=rows, max_size=rows)))
    precisions = draw(st.lists(st.integers(1, 4), min_size=len(lengths), max_size=len(lengths)))
    return array, lengths, np.array(idle), np.array(waits), precisions


def described(array, lengths, idle, waits, precisions):
    """The same run as tiles of the cycle model."""
    tiles, before, start = [], 0, 0
    for index, (beats, cycles) in enumerate(zip(lengths, precisions, strict=True)):
        pauses = idle[start : start + beats]
        late = [max(0, int(pauses[0]) - max(before - 1, 0)), *(max(0, int(p) - cycles + 1) for p in pauses[1:])]
        rows = waits[index * array.rows :][: array.rows]
        tiles.append(Tile(beats, cycles, sum(late), tuple(int(wait) for wait in rows) if any(rows) else None))
        before, start = cycles, start + beats
    return tiles


@given(runs())
@settings(max_examples=60, deadline=None)
def test_cycles_and_stalls_are_the_models_and_results_the_twins_under_any_stalls(run):
    array, lengths, idle, waits, precisions = run
    last = ends(lengths)
    operands = random_beats(array, last, seed=8)
    if "precision" in operands:
        operands["precision"] = np.repeat(precisions, lengths)
    else:
        precisions = [1] * len(lengths)
    found = simulate(array, last, operands, idle, waits)
    np.testing.assert_array_equal(found.tiles(array), array.compute(np.roll(last, 1), last, **operands))
    timing = ArrayTiming(array.rows, array.columns, array.pe.latency, array.buffered_tiles)
    expected = timing.run(described(array, lengths, idle, waits, precisions))
    assert found.last_cycles == [tile.ended for tile in expected]
    assert found.row_cycles[array.rows - 1 :: array.rows] == [tile.left for tile in expected]
    assert found.waits_for_drain == sum(tile.drain_stall for tile in expected)
    assert found.waits_for_results == sum(tile.results_stall for tile in expected)


@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(0, 2), st.integers(1, 4),
    st.integers(1, 100), st.integers(1, 30), st.integers(1, 8),
)  # fmt: skip
def test_the_closed_form_is_the_recurrence(rows, columns, stages, buffered, beats, tiles, beat_cycles):
    pe = SMALL.model_copy(update={"stages": stages})
    array = SystolicArray(rows=rows, columns=columns, pe=pe, buffered_tiles=buffered)
    timing = ArrayTiming(rows, columns, pe.latency, buffered)
    assert (array.latency, array.interval) == (timing.latency, timing.interval)
    assert array.cycles(beats, tiles, beat_cycles) == timing.cycles([Tile(beats, beat_cycles)] * tiles)


def test_rows_that_nobody_holds_back_wait_for_those_before_them():
    timing = ArrayTiming(2, 2)
    late, free, zeros = Tile(5, waits=(50, 0)), Tile(5), Tile(5, waits=(0, 0))
    assert timing.run([late, free]) == timing.run([late, zeros])
    assert timing.run([late, free])[1].left == timing.run([late])[0].left + 2


def test_long_tiles_keep_the_array_busy():
    """A 3x3 convolution over 64 channels on 8 x 8: all but fill and drain of 49 tiles."""
    array = SystolicArray(rows=8, columns=8, pe=IntegerMac())
    beats, tiles = 64 * 9, 49
    terms = beats * tiles * array.terms_per_cycle
    assert terms / (array.cycles(beats, tiles) * array.terms_per_cycle) > 0.99


def test_backpressure_stops_nothing_before_the_end_of_a_tile():
    array = SystolicArray(rows=2, columns=2, pe=SMALL, buffered_tiles=1)
    last = ends([3, 50])
    found = simulate(array, last, random_beats(array, last, seed=9), waits=np.array([40, 0, 0, 0]))
    assert found.waits_for_results == 0
    assert found.last_cycles == [2, 52]


@pytest.mark.parametrize(
    ("operands", "message"),
    [
        ({"x": np.zeros((4, 2))}, "operands must be x, w, not 'x'"),
        ({"x": np.zeros((4, 2)), "w": np.zeros((4, 2))}, "w: must have the shape (4, 3), not (4, 2)"),
    ],
)
def test_operands_that_do_not_fit_are_named(operands, message):
    array = SystolicArray(rows=2, columns=3, pe=SMALL)
    with pytest.raises(InputError) as error:
        array.compute(np.zeros(4, bool), np.ones(4, bool), **operands)
    assert str(error.value) == message


def test_a_result_that_the_pe_does_not_have_is_named():
    with pytest.raises(ValueError, match="result must be one of acc"):
        SystolicArray(pe=SMALL, result="hash")
