"""MX blocks against a scalar reading of the specification, with ml_dtypes for the elements."""

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim import formats
from hwsim.errors import InputError

ELEMENTS: dict[str, tuple[Any, int]] = {
    "fp8_e5m2": (ml_dtypes.float8_e5m2, 15),
    "fp8_e4m3": (ml_dtypes.float8_e4m3fn, 8),
    "fp4_e2m1": (ml_dtypes.float4_e2m1fn, 2),
}


def naive_block(values: list[float], element: str) -> list[float]:
    """Section 6.3 of the specification, one block, element by element."""
    oracle, top = ELEMENTS[element]
    largest = max(abs(value) for value in values)
    exponent = math.floor(math.log2(largest)) - top if largest else -127
    exponent = min(max(exponent, -127), 127)
    limit = float(ml_dtypes.finfo(oracle).max)
    scaled = np.clip(np.ldexp(values, -exponent), -limit, limit)
    return np.ldexp(scaled.astype(np.float32).astype(oracle).astype(np.float64), exponent).tolist()


@pytest.mark.parametrize("element", ELEMENTS)
@given(st.lists(st.floats(-1e4, 1e4, width=16), min_size=32, max_size=32))
def test_a_block_is_what_the_specification_says(element: str, values: list[float]) -> None:
    scales, codes = formats.encode_mx(values, element)
    assert formats.decode_mx(scales, codes, element).tolist() == naive_block(values, element)


def test_int8_elements_have_six_fraction_bits() -> None:
    values = np.linspace(-1.5, 1.5, 32)
    scales, codes = formats.encode_mx(values, "int8")
    assert scales.tolist() == [127]
    np.testing.assert_array_equal(formats.decode_mx(scales, codes, "int8"), np.rint(values * 64) / 64)


def test_a_nan_makes_its_block_nan_and_no_other() -> None:
    values = np.ones((2, 64))
    values[1, 40] = np.nan
    decoded = formats.decode_mx(*formats.encode_mx(values, "fp8_e4m3"), "fp8_e4m3")
    whole_block = np.isnan(decoded).reshape(2, 2, 32).all(axis=2)
    np.testing.assert_array_equal(whole_block, [[False, False], [False, True]])
    np.testing.assert_array_equal(decoded[0], values[0])


def test_a_length_that_is_no_multiple_of_the_block_is_an_error() -> None:
    with pytest.raises(InputError, match=r"^last axis must be a multiple of the block of 32, not \(33,\)$"):
        formats.encode_mx(np.ones(33), "fp4_e2m1")
    with pytest.raises(InputError, match=r"^MX element must be one of .*, not 'fp16'$"):
        formats.encode_mx(np.ones(32), "fp16")
