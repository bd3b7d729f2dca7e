"""Words inside PEs against what the PE computes: whatever stands in between, their sum must be the term."""

from fractions import Fraction

import numpy as np
import pytest

from flows.calibrate import float_words, streams, words
from hwsim import formats
from rtl.pe import CATALOG, find
from rtl.pe.element import Accumulator
from rtl.pe.serial import BitSerialMac

SUMMING = [name for name, pe in CATALOG.items() if isinstance(pe, Accumulator) and not isinstance(pe, BitSerialMac)]


def operands_of(pe, seed=5):
    group = streams.designed(pe, 12, 60, seed)
    return {name: values.ravel() for name, values in group.operands.items()}


@pytest.mark.parametrize("name", SUMMING)
def test_the_last_word_and_a_carry_are_the_term(name):
    pe = find(name)
    operands = operands_of(pe)
    _, addend, bits = list(words.words(pe, operands))[-1]
    assert bits == pe.term_bits
    assert set((pe.terms(**operands) - addend).tolist()) <= {0, 1}


@pytest.mark.parametrize("name", ["int8_mac", "int4_mac", "int16_mac", "uint8x4_mac_sat"])
def test_full_adders_keep_the_product(name):
    """The last round takes three rows and leaves two, whose sum is the product."""
    pe = find(name)
    found = list(words.words(pe, operands_of(pe)))
    *_, total, carry = (word for name, word, _ in found if name.startswith("carry-save"))
    term, product, bits = found[-1]
    assert term == "term"
    assert ((total + carry - product) % (1 << bits) == 0).all()


def test_a_tree_adds_its_lanes():
    pe = find("simhash8x4")
    operands = operands_of(pe)
    found = {name: word for name, word, _ in words.words(pe, operands)}
    assert (found["sums of lanes"] + found["missing carries"] == found["term"]).all()


@pytest.mark.parametrize("name", ["bf16_mac", "e4m3_mac", "fp16_mac", "fp32_mac"])
def test_the_sum_of_a_float_is_exact_up_to_what_falls_out(name):
    pe = find(name)
    group = streams.designed(pe, 6, 50, seed=7)
    x, w = (group.operands[port].ravel() for port in ("x", "w"))
    base = formats.encode(np.random.default_rng(0).normal(size=len(x)), "fp32").astype(np.int64)
    exact = [Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c)) for a, b, c in zip(
        formats.decode(x, pe.form), formats.decode(w, pe.form), formats.decode(base, "fp32"), strict=True)]  # fmt: skip
    found = {name: word for name, word, _ in float_words.words(pe, *(one.astype(object) for one in (base, x, w)))}
    magnitudes, normal = found["magnitude"], found["normalised"]  # of several words of a name, the last
    for value, magnitude, shifted in zip(exact, magnitudes.tolist(), normal.tolist(), strict=True):
        assert (value == 0) == (magnitude == 0)
        if value:
            significand = abs(value) / Fraction(2) ** (value.numerator.bit_length() - value.denominator.bit_length())
            ratio = significand * 2 ** magnitude.bit_length() / magnitude
            assert min(abs(ratio / 2**power - 1) for power in range(-2, 3)) < Fraction(1, 2**22)
            assert shifted.bit_length() >= magnitude.bit_length()
