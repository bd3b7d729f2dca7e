"""Shares that are not zero against a count, and what a fit makes of them."""

import numpy as np
import pytest

from flows.calibrate import zeros
from flows.calibrate.model import fit
from hwsim.technology.circuit import NON_ZERO, NON_ZERO_PRODUCTS, OPERATIONS
from rtl.pe import find


def sampled(name, count=12):
    pe = find(name)
    group = zeros.streams(pe, "mlp", count, 40, seed=1)
    beats = np.full(count, 30)
    return group, zeros.sample(pe, group, beats, np.ones(count))


def test_shares_are_those_of_the_beats_that_ran():
    group, sample = sampled("int8_mac")
    x, w = (group.operands[name][:, :30] != 0 for name in ("x", "w"))
    assert sample.rates[NON_ZERO["x"]] == pytest.approx(x.mean(axis=1))
    assert sample.rates[NON_ZERO["w"]] == pytest.approx(w.mean(axis=1))
    assert sample.rates[NON_ZERO_PRODUCTS] == pytest.approx((x & w).mean(axis=1))
    assert (sample.rates[OPERATIONS] == 1).all()
    assert np.ptp(sample.rates[NON_ZERO["w"]]) > 0.3


@pytest.mark.parametrize(("name", "known"), [("shift8", {"x"}), ("shift8z_right", {"x", "w"}), ("matadd8_signed", {"x"})])
def test_formats_without_a_zero_have_no_share(name, known):
    _, sample = sampled(name)
    assert {operand for operand, rate in NON_ZERO.items() if rate in sample.rates} == known
    assert (NON_ZERO_PRODUCTS in sample.rates) == (known == {"x", "w"})


def test_a_fit_finds_what_zeros_cost():
    _, sample = sampled("int8_mac", 48)
    cost = 2 + 5 * sample.rates[NON_ZERO_PRODUCTS]
    model = fit(type(sample)(sample.names, sample.rates, cost), {})
    assert {rate.name: rate.energy_pj for rate in model.rates} == pytest.approx({OPERATIONS: 2, NON_ZERO_PRODUCTS: 5})
    assert {rate.unit for rate in model.rates} == {"1/op"}
