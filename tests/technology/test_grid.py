"""Interpolation between measured sizes: exact at them and for power laws, between them, nothing outside."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.technology.grid import interpolated, left_out_error

ROWS = {512: (8, 16, 64), 768: (8, 24, 64), 4096: (8, 64)}
"""Rows have second sizes of their own."""

sizes, seconds = st.floats(512, 4096), st.floats(8, 64)


@given(sizes, seconds, st.floats(-2, 2), st.floats(-2, 2), st.floats(0.01, 100))
def test_power_laws_are_met_everywhere(first, second, p, q, scale):
    grid = {(a, b): scale * a**p * b**q for a, row in ROWS.items() for b in row}
    assert interpolated(grid, first, second) == pytest.approx(scale * first**p * second**q, rel=1e-9)


@given(sizes, seconds, st.lists(st.floats(0.1, 10), min_size=8, max_size=8))
def test_values_lie_between_those_of_both_rows(first, second, values):
    places = [(a, b) for a, row in ROWS.items() for b in row]
    grid = dict(zip(places, values, strict=True))
    rows = (512, 768) if first <= 768 else (768, 4096)
    found = [value for (a, _), value in grid.items() if a in rows]
    assert min(found) * (1 - 1e-9) <= interpolated(grid, first, second) <= max(found) * (1 + 1e-9)


def test_measured_places_are_met_and_others_by_hand():
    grid = {(1, 1): 1.0, (1, 4): 4.0, (4, 1): 2.0, (4, 2): 8.0}
    assert interpolated(grid, 4, 2) == pytest.approx(8)
    assert interpolated(grid, 1, 2) == pytest.approx(2)
    assert interpolated(grid, 2, 2) == pytest.approx(math.sqrt(2 * 8))


@pytest.mark.parametrize("place", [(511, 8), (4097, 8), (512, 7.9), (1024, 65)])
def test_nothing_is_said_outside(place):
    grid = {(a, b): 1.0 for a, row in ROWS.items() for b in row}
    assert interpolated(grid, *place) is None


@given(sizes, st.floats(-2, 2), st.floats(-2, 2))
def test_smooth_places_are_met_when_left_out(first, p, q):
    grid = {(a, b): a**p * b**q for a in (512, 768, 1024, 4096) for b in (8, 64)}
    found = left_out_error(grid, min(max(first, 600.0), 1000.0), 16)
    assert found == pytest.approx(0, abs=1e-9)


def test_places_left_out_by_hand():
    grid = {(1, 1): 1.0, (4, 1): 4.0, (16, 1): 1.0, (64, 1): 4.0}
    assert left_out_error(grid, 8, 1) == pytest.approx(math.log(4))  # 1 between 1 and 1, 4 between 4 and 4
    assert left_out_error(grid, 2, 1) == pytest.approx(math.log(4))  # the first has no neighbour below
    assert left_out_error({(1, 1): 1.0, (4, 1): 4.0}, 2, 1) is None
