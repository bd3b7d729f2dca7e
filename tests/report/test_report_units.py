"""Numbers as shown can be read back, carry the prefix that suits them, and never round to none or all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.report.units import counted, in_units, percent, significant, unit_for

positive = st.floats(1e-30, 1e30)


@given(positive, st.integers(2, 6))
def test_significant_digits_can_be_read_back(value: float, digits: int) -> None:
    assert float(significant(value, digits)) == pytest.approx(value, rel=0.5001 * 10 ** (1 - digits))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1, "1.000"), (9.9999, "10.00"), (0.99996, "1.000"), (123456, "123456"), (-2.5, "-2.500"),
     (1.2346e-4, "0.0001235"), (1.2344e-9, "1.234e-09")],
)  # fmt: skip
def test_significant(value: float, text: str) -> None:
    assert significant(value) == text


@given(st.lists(st.floats(1e-12, 999e12), min_size=1))
def test_the_largest_value_has_one_to_three_digits_before_the_point(values: list[float]) -> None:
    assert 1 <= max(values) / unit_for(values, "J").size < 1000 * (1 + 1e-9)


@pytest.mark.parametrize(
    ("value", "base", "text"),
    [(0.0042, "J", "4.200 mJ"), (2.5e-5, "s", "25.00 µs"), (3599, "s", "3599 s"), (7200, "s", "2.000 h"),
     (12.8e9, "B/s", "12.80 GB/s"), (0, "J", "0 J"), (1e-15, "J", "0.001000 pJ"), (86400e3, "J", "86.40 MJ")],
)  # fmt: skip
def test_in_units(value: float, base: str, text: str) -> None:
    assert in_units(value, base) == text


@given(st.floats(0, 1))
def test_percent_is_near_and_rounds_neither_to_none_nor_to_all(share: float) -> None:
    text = percent(share)
    assert float(text.strip("<>")) == pytest.approx(100 * share, abs=0.1001)
    assert (text == "0") == (share == 0)
    assert (text == "100") == (share > 1 - 1e-12)


def test_counted() -> None:
    assert [counted(1, "step"), counted(1200, "step"), counted(0, "step")] == ["1 step", "1,200 steps", "0 steps"]
