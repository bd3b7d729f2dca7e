"""Parameters of the phase-locked loop."""

import pytest
from pydantic import ValidationError

from rtl.boards.clocks import OSCILLATOR_MHZ, Pll


@pytest.mark.parametrize(
    ("output_mhz", "multiplier", "divider", "output_divider"),
    [(50.0, 2, 1, 12), (25.0, 1, 1, 24), (62.5, 5, 2, 8), (80.0, 16, 5, 8), (40.0, 8, 5, 16)],
)
def test_the_loop_makes_the_clock(output_mhz, multiplier, divider, output_divider):
    pll = Pll(input_mhz=25.0, output_mhz=output_mhz)
    assert (pll.ratio.numerator, pll.ratio.denominator, pll.output_divider) == (multiplier, divider, output_divider)


@pytest.mark.parametrize("output_mhz", range(5, 201, 5))
def test_the_oscillator_stays_in_its_range(output_mhz):
    divider = Pll(input_mhz=25.0, output_mhz=output_mhz).output_divider
    assert OSCILLATOR_MHZ[0] <= output_mhz * divider <= OSCILLATOR_MHZ[1]
    assert divider % 4 == 0  # a quarter of a period is a whole number of the oscillator's


@pytest.mark.parametrize(
    ("output_mhz", "rule"),
    [(50.0001, "a fraction of integers up to 80"), (52.0, "a multiple of 3.125 MHz or more")],
)
def test_other_clocks_are_refused(output_mhz, rule):
    with pytest.raises(ValidationError, match=rule):
        Pll(input_mhz=25.0, output_mhz=output_mhz)
