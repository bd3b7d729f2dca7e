"""BitFusion's cycle formula against hand-worked values and a loop that issues one step per cycle."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim import InputError
from hwsim.cost.bitfusion import Layer, products_per_unit

EIGHT = {"max_bits": 8, "min_bits": 2}
SIXTEEN = {"max_bits": 16, "min_bits": 2}


@pytest.mark.parametrize(
    ("bits", "unit", "factor"),
    [
        (1, EIGHT, 4), (2, EIGHT, 4), (3, EIGHT, 2), (4, EIGHT, 2), (5, EIGHT, 1), (6, EIGHT, 1), (8, EIGHT, 1),
        (3, SIXTEEN, 5), (4, SIXTEEN, 4), (6, SIXTEEN, 2), (8, SIXTEEN, 2), (12, SIXTEEN, 1), (16, SIXTEEN, 1),
    ],
)  # fmt: skip
def test_how_a_unit_splits(bits, unit, factor):
    assert products_per_unit(bits, unit["max_bits"], **unit) == factor
    assert products_per_unit(unit["max_bits"], bits, **unit) == factor
    assert products_per_unit(bits, bits, **unit) == factor**2


@pytest.mark.parametrize(
    ("bits", "unit", "message"),
    [
        ((9, 8), EIGHT, "input: a fusion unit takes 1 to 8 bits, not '9 bits'"),
        ((8, 16), EIGHT, "weight: a fusion unit takes 1 to 8 bits, not '16 bits'"),
        ((17, 4), SIXTEEN, "input: a fusion unit takes 1 to 16 bits, not '17 bits'"),
        ((4, 0), EIGHT, "weight: a fusion unit takes 1 to 8 bits, not '0 bits'"),
    ],
)
def test_widths_that_would_divide_by_zero_are_refused(bits, unit, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        products_per_unit(*bits, **unit)


@pytest.mark.parametrize(
    ("layer", "bits", "cycles"),
    [
        # 16 x 32 units: channels / (16 * products), filters / 32
        (Layer(1, 64, 64, 56, 56, 3, 3), (8, 8), 1 * 2 * 56 * 56 * 9 * 4),
        (Layer(1, 64, 64, 56, 56, 3, 3), (4, 4), 1 * 2 * 56 * 56 * 9 * 1),
        (Layer(1, 64, 64, 56, 56, 3, 3), (8, 2), 1 * 2 * 56 * 56 * 9 * 1),
        (Layer(1, 64, 64, 56, 56, 3, 3), (2, 2), 1 * 2 * 56 * 56 * 9 * 1),
        (Layer(16, 64, 3, 112, 112, 7, 7), (8, 8), 16 * 2 * 112 * 112 * 49 * 1),
        (Layer(16, 1000, 512), (8, 8), 16 * 32 * 32),
        (Layer(16, 1000, 512), (3, 6), 16 * 32 * 16),
        (Layer(1, 33, 17), (8, 8), 1 * 2 * 2),
        (Layer(1, 1, 1), (1, 1), 1),
    ],
)
def test_hand_worked_layers_on_the_published_array(layer, bits, cycles):
    assert layer.cycles(rows=16, columns=32, products=products_per_unit(*bits, **EIGHT)) == cycles


small = st.integers(1, 4)


@settings(max_examples=100, deadline=None)
@given(small, st.integers(1, 12), st.integers(1, 12), small, small, small, small, small, small, st.sampled_from([1, 2, 4]))
def test_a_loop_that_issues_one_step_per_cycle_takes_as_many(b, oc, ic, oh, ow, kh, kw, rows, columns, products):
    cycles, done = 0, set()
    for _ in range(b * oh * ow * kh * kw):
        for first_filter in range(0, oc, columns):
            for first_channel in range(0, ic, rows * products):
                cycles += 1
                done |= {
                    (f, c)
                    for f in range(first_filter, min(first_filter + columns, oc))
                    for c in range(first_channel, min(first_channel + rows * products, ic))
                }
    assert len(done) == oc * ic
    assert Layer(b, oc, ic, oh, ow, kh, kw).cycles(rows=rows, columns=columns, products=products) == cycles
