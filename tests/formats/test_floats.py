"""Floating-point codes against ml_dtypes: every code decoded, every code and every midpoint encoded."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim import formats
from hwsim.errors import InputError

ORACLES: dict[str, Any] = {
    "fp16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "fp8_e4m3": ml_dtypes.float8_e4m3fn,
    "fp8_e5m2": ml_dtypes.float8_e5m2,
    "fp4_e2m1": ml_dtypes.float4_e2m1fn,
    "e8m0": ml_dtypes.float8_e8m0fnu,
}
UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32}


def all_codes(name: str) -> np.ndarray:
    return np.arange(1 << formats.parse(name).bits, dtype=np.uint32)


def oracle_bits(values: np.ndarray, oracle: Any) -> np.ndarray:
    with np.errstate(all="ignore"):  # overflow to infinity is what the test is about
        return values.astype(oracle).view(UNSIGNED[np.dtype(oracle).itemsize])


@pytest.mark.parametrize("name", ORACLES)
def test_every_code_decodes_as_ml_dtypes_says(name: str) -> None:
    codes, oracle = all_codes(name), ORACLES[name]
    with np.errstate(invalid="ignore"):  # signalling NaNs
        expected = codes.astype(UNSIGNED[np.dtype(oracle).itemsize]).view(oracle).astype(np.float64)
    decoded = formats.decode(codes, name)
    np.testing.assert_array_equal(decoded, expected)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(decoded[numbers]), np.signbit(expected[numbers]))


@pytest.mark.parametrize("name", [name for name in ORACLES if name != "e8m0"])
def test_values_midpoints_and_neighbours_round_as_ml_dtypes_does(name: str) -> None:
    values = np.sort(formats.decode(all_codes(name), name))
    values = values[np.isfinite(values)]
    middle = (values[1:] + values[:-1]) / 2
    tried = np.concatenate([values, middle, np.nextafter(middle, 9e9), np.nextafter(middle, -9e9), [-0.0]])
    tried = tried.astype(np.float32).astype(np.float64)  # ml_dtypes rounds float64 to bf16 through float32
    np.testing.assert_array_equal(
        formats.encode(tried, name, saturate=name == "fp4_e2m1"), oracle_bits(tried, ORACLES[name])
    )


@pytest.mark.parametrize("name", ["fp16", "bf16", "fp8_e4m3", "fp8_e5m2"])
def test_overflow_gives_what_ml_dtypes_gives(name: str) -> None:
    tried = np.asarray([1e39, -1e39, np.inf, -np.inf, 448, 464, 465, 480, 57344, 61440, 65504, 65520, 3.4e38])
    np.testing.assert_array_equal(formats.encode(tried, name), oracle_bits(tried, ORACLES[name]))


@given(st.integers(0, 2**32 - 1))
def test_fp32_is_numpy_float32(code: int) -> None:
    with np.errstate(invalid="ignore"):  # signalling NaNs
        expected = np.asarray([code], np.uint32).view(np.float32).astype(np.float64)
    decoded = formats.decode([code], "fp32")
    np.testing.assert_array_equal(decoded, expected)
    if not np.isnan(expected[0]):
        assert formats.encode(decoded, "fp32")[0] == code


@given(st.floats(allow_nan=False))
def test_any_double_rounds_to_fp32_as_numpy_does(value: float) -> None:
    expected = oracle_bits(np.asarray([value]), np.float32)
    np.testing.assert_array_equal(formats.encode([value], "fp32"), expected)


def test_fp64_keeps_its_bits() -> None:
    assert formats.encode([1.0, -0.0], "fp64").tolist() == [0x3FF << 52, 1 << 63]
    assert formats.decode([0x3FF << 52], "fp64").tolist() == [1.0]


def test_nan_is_canonical_and_keeps_its_sign() -> None:
    assert formats.encode([np.nan], "fp32")[0] == 0x7FC00000
    assert formats.encode([np.nan, -np.nan], "fp8_e4m3").tolist() == [0x7F, 0xFF]
    assert formats.encode([np.nan], "fp8_e5m2")[0] == 0x7E


def test_saturation_clips_to_the_largest_value() -> None:
    for name, largest in (("fp8_e4m3", 448), ("fp4_e2m1", 6), ("fp16", 65504)):
        clipped = formats.encode([1e9, -np.inf], name, saturate=True)
        assert formats.decode(clipped, name).tolist() == [largest, -largest]


def test_a_format_without_infinity_or_nan_refuses_overflow() -> None:
    with pytest.raises(InputError, match=r"^value must be a number in -6\.\.6 to fit fp4_e2m1, not 7\.0$"):
        formats.encode([1.0, 7.0], "fp4_e2m1")
    with pytest.raises(InputError, match=r"^value must be a number in -6\.\.6 to fit fp4_e2m1, not nan$"):
        formats.encode([np.nan], "fp4_e2m1", saturate=True)
