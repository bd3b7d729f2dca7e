"""Shapes hold exactly the codes of their formats, and name their fields."""

import pytest
from amaranth.hdl import Shape, signed, unsigned

from hwsim import formats
from hwsim.errors import InputError
from rtl import shapes

NAMES = ["int8", "uint4", "fixed8_4", "ufixed8_8", "bin", "bin01", "ternary", "pow2_4", "pow2z_5", "e8m0",
         "fp32", "fp16", "bf16", "fp8_e4m3", "fp8_e5m2", "fp4_e2m1"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_shape_is_as_wide_as_its_format(name: str) -> None:
    assert Shape.cast(shapes.shape(name)).width == formats.parse(name).bits == shapes.width(name)


def test_integers_have_their_sign() -> None:
    assert shapes.shape("int5") == signed(5)
    assert shapes.shape("uint5") == unsigned(5)


@pytest.mark.parametrize(
    ("name", "value", "fields"),
    [
        ("pow2_4", -0.125, {"exponent": 3, "sign": 1}),
        ("ternary", -1, {"nonzero": 1, "sign": 1}),
        ("bf16", -1.5, {"mantissa": 64, "exponent": 127, "sign": 1}),
    ],
)
def test_fields_lie_where_the_code_has_them(name: str, value: float, fields: dict[str, int]) -> None:
    constant = shapes.shape(name).const(fields)
    assert constant.as_value().value == int(formats.encode([value], name)[0])


def test_a_format_without_codes_has_no_shape() -> None:
    with pytest.raises(InputError, match=r"^format: format must have one code per value, not 'complex64'$"):
        shapes.shape("complex64")
