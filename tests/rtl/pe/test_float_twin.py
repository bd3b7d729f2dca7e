"""The floating-point twin against exact rational arithmetic, rounded by a search over all neighbours."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim import formats
from rtl.pe.floating import NAN, FloatMac

CODES32 = st.integers(0, 2**32 - 1)


def value(code: int, form: str) -> float:
    return float(formats.decode([code], form)[0])


def rounded(exact: Fraction) -> int:
    """The fp32 code nearest to a rational number other than zero: ties to even, too large is infinity."""
    sign, size = (1 << 31 if exact < 0 else 0), abs(exact)
    low, high = 0, 0x7F7FFFFF
    while low < high:  # the largest code whose value is not beyond the number
        middle = (low + high + 1) // 2
        low, high = (middle, high) if Fraction(value(middle, "fp32")) <= size else (low, middle - 1)
    below = Fraction(value(low, "fp32"))
    above = Fraction(value(low + 1, "fp32")) if low < 0x7F7FFFFF else Fraction(2**128)
    up = size - below > above - size or (size - below == above - size and low % 2 == 1)
    return sign | (low + up)


def naive(x: float, w: float, acc: float) -> int:
    if not all(map(math.isfinite, (x, w, acc))):
        total = np.float64(acc) + np.float64(np.float64(x) * np.float64(w))
        return NAN if math.isnan(total) else int(formats.encode([total], "fp32")[0])
    exact = Fraction(x) * Fraction(w) + Fraction(acc)
    if exact:
        return rounded(exact)
    negative = math.copysign(1, x) * math.copysign(1, w) < 0
    return 1 << 31 if negative and acc == 0 and math.copysign(1, acc) < 0 else 0


@pytest.mark.parametrize("form", ["fp32", "bf16", "fp16", "fp8_e4m3", "fp8_e5m2"])
@given(st.data())
def test_a_sum_of_two_products_is_rounded_once_each(form: str, data: st.DataObject) -> None:
    top = (1 << formats.parse(form).bits) - 1
    codes = np.asarray([[data.draw(st.integers(0, top)) for _ in range(2)] for _ in range(3)])
    with np.errstate(invalid="ignore"):
        sums = FloatMac(form=form).compute([True, False, False], x=codes[:, 0], w=codes[:, 1])["acc"]
        acc = 0.0
        for (x, w), found in zip(codes.tolist(), sums.tolist(), strict=True):
            assert found == naive(value(x, form), value(w, form), acc)
            acc = value(found, "fp32")


@given(CODES32, CODES32, CODES32)
def test_any_accumulator_meets_any_product(x: int, w: int, start: int) -> None:
    one = 0x3F800000
    with np.errstate(invalid="ignore"):
        found = FloatMac(form="fp32").compute([True, False], x=np.asarray([start, x]), w=np.asarray([one, w]))
        assert int(found["acc"][1]) == naive(value(x, "fp32"), value(w, "fp32"), value(start, "fp32") + 0.0)


def test_policy_for_special_values() -> None:
    inf, one, zero, smallest = 0x7F800000, 0x3F800000, 0, 1
    cases = [
        (inf, zero, NAN),
        (inf, one, inf),
        (NAN | 1, one, NAN),
        (smallest, one, smallest),
        (0x7F7FFFFF, 0x40000000, inf),
    ]
    for x, w, expected in cases:
        found = FloatMac(form="fp32").compute([True], x=np.asarray([x]), w=np.asarray([w]))["acc"]
        assert int(found[0]) == expected
