"""Integer, fixed-point, power-of-two and one- and two-bit codes, each against a plain definition."""

import re

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim import formats
from hwsim.errors import InputError


@pytest.mark.parametrize("name", ["int4", "uint4", "int2", "uint2"])
def test_small_integers_are_those_of_ml_dtypes(name: str) -> None:
    codes = np.arange(1 << formats.parse(name).bits, dtype=np.uint8)
    expected = codes.view(getattr(ml_dtypes, name)).astype(np.int64)
    np.testing.assert_array_equal(formats.decode(codes, name).astype(np.int64), expected)
    np.testing.assert_array_equal(formats.encode(expected, name), codes)


@given(st.data(), st.integers(1, 64), st.booleans())
def test_integers_are_twos_complement(data: st.DataObject, bits: int, signed: bool) -> None:
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    value = data.draw(st.integers(low, high))
    name = f"{'int' if signed else 'uint'}{bits}"
    given_value = np.asarray([value], dtype=np.int64 if signed else np.uint64)
    code = formats.encode(given_value, name)
    assert int(code[0]) == value % (1 << bits)
    assert int(formats.decode(code, name)[0]) == value


@given(st.integers(1, 32), st.integers(0, 32), st.floats(-1e6, 1e6))
def test_fixed_point_is_an_integer_of_steps(bits: int, fraction: int, value: float) -> None:
    fraction = min(fraction, bits)
    name = f"fixed{bits}_{fraction}"
    steps = min(max(round(value * 2**fraction), -(1 << (bits - 1))), (1 << (bits - 1)) - 1)
    code = formats.encode([value], name, saturate=True)
    assert int(code[0]) == steps % (1 << bits)
    assert formats.decode(code, name)[0] == steps / 2**fraction


@pytest.mark.parametrize("name", ["pow2_2", "pow2_4", "pow2_5", "pow2z_3", "pow2z_4"])
def test_power_of_two_is_the_nearest_by_search(name: str) -> None:
    table = formats.decode(np.arange(1 << formats.parse(name).bits), name)
    tried = np.linspace(-1.2, 1.2, 1001)
    found = formats.decode(formats.encode(tried, name, saturate=True), name)
    distance = np.abs(tried[:, None] - table[None]).min(axis=1)
    np.testing.assert_allclose(np.abs(found - tried), distance, rtol=0, atol=1e-15)


def test_power_of_two_codes_are_sign_and_exponent() -> None:
    assert formats.decode([0, 1, 7, 8, 15], "pow2_4").tolist() == [1, 0.5, 2**-7, -1, -(2**-7)]
    assert formats.decode([0, 6, 7, 15], "pow2z_4").tolist() == [1, 2**-6, 0, 0]
    assert formats.encode([0.0, -0.0, 1.0, -0.5], "pow2z_4").tolist() == [7, 7, 0, 9]


@pytest.mark.parametrize(
    ("name", "values", "codes"),
    [
        ("bin", [1, -1], [0, 1]),
        ("bin01", [0, 1], [0, 1]),
        ("ternary", [0, 1, -1], [0, 1, 3]),
        ("bool", [0, 1], [0, 1]),
    ],
)
def test_small_formats(name: str, values: list[int], codes: list[int]) -> None:
    assert formats.encode(values, name).tolist() == codes
    assert formats.decode(codes, name).tolist() == values


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("int8", 128, "value must lie in the range of int8, not 128"),
        ("uint4", -1, "value must lie in the range of uint4, not -1"),
        ("fixed8_4", 8.0, "value must lie in the range of fixed8_4, not 8.0"),
        ("int8", np.nan, "value must lie in the range of int8, not nan"),
        ("pow2_4", 2.0, "value must round to a power of two of pow2_4, not 2.0"),
        ("pow2_4", 0.0, "value must round to a power of two of pow2_4, not 0.0"),
        ("ternary", 2, "value must be -1 or 0 or 1 to fit ternary, not 2"),
        ("bin", 0, "value must be -1 or 1 to fit bin, not 0"),
        ("e8m0", 3.0, "value must be a power of two in 2**-127..2**127 to fit e8m0, not 3.0"),
        ("pow2_20", 1.0, "power-of-two format must have at most 11 bits to be encoded, not 'pow2_20'"),
        ("complex64", 1.0, "format: format must have one code per value, not 'complex64'"),
    ],
)
def test_a_value_without_a_code_is_named(name: str, value: float, message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        formats.encode([value], name)


def test_a_code_beyond_the_format_is_named() -> None:
    with pytest.raises(InputError, match=r"^code must fit the 4 bits of int4, not 16$"):
        formats.decode([3, 16], "int4")


def test_nan_cannot_be_saturated_into_an_integer() -> None:
    with pytest.raises(InputError, match=r"^value must lie in the range of int8, not nan$"):
        formats.encode([np.nan], "int8", saturate=True)


def test_names_with_a_fraction_and_wrong_names() -> None:
    assert formats.parse("ufixed8_8").fraction == 8
    rule = r"^format must be one of .*, or fixedN_F or ufixedN_F with F <= N, not 'fixed4_5'$"
    with pytest.raises(InputError, match=rule):
        formats.parse("fixed4_5")
