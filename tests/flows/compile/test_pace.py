"""Where an array gets its beats, against the exact cycles of a long convolution."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flows.compile.pace import pace, runs
from hwsim.cost.accelerator_program import Convolution, ProgramTiming


@given(
    st.integers(1, 9), st.lists(st.tuples(st.integers(0, 3), st.integers(1, 12)), min_size=1, max_size=3),
    st.integers(1, 9), st.integers(1, 9), st.integers(1, 4),
)  # fmt: skip
def test_idle_cycles_of_a_sum_are_those_of_the_cycle_model(positions, words, rows, columns, beat_cycles):
    """In the long run; words that are collected during the last of several cycles of a beat are less late."""
    timing = ProgramTiming(
        rows=rows, columns=columns, element_latency=1, buffered_tiles=8, write_latency=9, command_words=24, burst=16,
        memory_latency=8,
    )  # fmt: skip
    few, many = (
        Convolution(sums=sums, positions=positions, words=tuple(words), beat_cycles=beat_cycles) for sums in (20, 40)
    )
    places = pace(few, rows, rows + columns - 1)
    assert places.sum() * few.sums == few.beats
    idle = [counters.input_stall + counters.drain_stall + counters.results_stall for counters in timing.run([few, many])]
    less = (~places).sum() - (idle[1] - idle[0]) / 20
    assert 0 <= less <= (beat_cycles - 1) * positions * len(words)


def test_runs_end_where_words_are_late():
    work = Convolution(sums=5, positions=9, words=((0, 3),))
    assert pace(work, 8, 15).tolist() == ([True] * 3 + [False] * 5) * 9
    assert runs(work, 8, 15) == 5 * 9
    assert runs(work, 3, 5) == 1  # words come as fast as they are played
    short = Convolution(sums=5, positions=1, words=((0, 8),))
    assert pace(short, 8, 15).tolist() == [False] * 7 + [True] * 8
    assert runs(short, 8, 15) == 5
    serial = Convolution(sums=5, positions=9, words=((0, 3),), beat_cycles=4)
    assert runs(serial, 8, 15) == serial.beats
    assert np.count_nonzero(~pace(serial, 8, 15)) == 0
