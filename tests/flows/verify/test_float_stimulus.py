"""Floating-point beats meet the accumulator: sums cancel, tie, overflow and become subnormal."""

import numpy as np
import pytest

from flows.verify import float_stimulus, stimulus
from hwsim import formats
from hwsim.formats.floats import LAYOUTS
from rtl.pe.floating import FloatMac

FORMS = ["fp32", "bf16", "fp16", "fp8_e4m3", "fp8_e5m2"]


@pytest.mark.parametrize("form", FORMS)
def test_products_stay_near_the_one_before(form: str) -> None:
    beats = float_stimulus.near(LAYOUTS[form], 4000, np.random.default_rng(1))
    with np.errstate(invalid="ignore"):
        x, w = (formats.decode(beats[name], form) for name in ("x", "w"))
        product = np.abs(x * w)
    real = np.isfinite(product[1:]) & np.isfinite(product[:-1]) & (product[1:] > 0) & (product[:-1] > 0)
    apart = np.abs(np.log2(product[1:][real]) - np.log2(product[:-1][real]))
    assert real.mean() > 0.4
    assert np.mean(apart <= 34) > 0.9


@pytest.mark.parametrize("form", ["fp32", "bf16"])
def test_sums_reach_the_ends_of_fp32(form: str) -> None:
    pe = FloatMac(form=form)  # type: ignore[arg-type]
    beats = float_stimulus.near(LAYOUTS[form], 6000, np.random.default_rng(1))
    with np.errstate(invalid="ignore"):
        acc = pe.compute(np.arange(6000) % 3 == 0, **beats)["acc"] & 0x7FFFFFFF
    for share in (acc == 0x7F800000, (acc > 0) & (acc < 0x800000), acc == 0):
        assert np.mean(share) > 0.01


def test_every_fp8_product_is_seen_alone() -> None:
    beats = stimulus.make(FloatMac(form="fp8_e4m3"), 300, 1)
    alone = beats.first & beats.last
    codes = np.unique(beats.operands["x"][alone] << 8 | beats.operands["w"][alone])
    assert len(codes) == 1 << 16


@pytest.mark.parametrize(("form", "code", "expected"), [
    ("fp32", 0x3F9D70A4, True), ("bf16", 0x3F9D70A4, True), ("fp16", 0xBF9D70A4, True), ("bf16", 0x00000001, True),
    ("fp8_e4m3", 0x40490000, True), ("fp8_e4m3", 0x30000001, False), ("fp8_e5m2", 0x7F7FFFFF, False),
    ("fp32", 0x7F800000, True), ("fp32", 0x80000000, False),
])  # fmt: skip
def test_an_accumulator_loads_where_products_sum_to_it(form: str, code: int, expected: bool) -> None:
    assert float_stimulus.loads(FloatMac(form=form), code) is expected  # type: ignore[arg-type]


@pytest.mark.parametrize("form", FORMS)
def test_what_a_large_product_and_its_opposite_leave_is_the_small_one(form: str) -> None:
    pe = FloatMac(form=form)  # type: ignore[arg-type]
    beats, starts = float_stimulus.left_over(LAYOUTS[form], 600, np.random.default_rng(1))
    acc = pe.compute(starts, **beats)["acc"]
    real, zero = (acc[0::3] & 0x7FFFFFFF) < 0x7F800000, (acc[0::3] & 0x7FFFFFFF) == 0
    exact = 0.03 if form == "fp32" else 0.15  # its large products are rounded, and that is left over, too
    assert np.mean((acc[0::3] == acc[2::3]) & real & ~zero) > exact


@pytest.mark.parametrize("form", FORMS)
def test_only_the_tiny_product_breaks_a_tie(form: str) -> None:
    pe = FloatMac(form=form)  # type: ignore[arg-type]
    beats, starts = float_stimulus.ties(LAYOUTS[form], 3000, np.random.default_rng(1))
    tied = {name: np.where(np.arange(len(starts)) % 3 == 1, 0, column) for name, column in beats.items()}
    broken = pe.compute(starts, **beats)["acc"][2::3] != pe.compute(starts, **tied)["acc"][2::3]
    assert len(broken) > 100
    assert 0.05 < np.mean(broken) < 0.95
