"""Each twin against the plainest Python, beat by beat, and the formulas against what the twins do."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hwsim import formats
from rtl.pe import CATALOG, find
from rtl.pe.adder import AdderPE
from rtl.pe.binary import BinaryAddPE
from rtl.pe.element import accumulate
from rtl.pe.fusible import FusibleMac
from rtl.pe.integer import IntegerMac
from rtl.pe.lfsr import TAPS, step
from rtl.pe.predictive import PredictiveSignPE
from rtl.pe.serial import BitSerialMac
from rtl.pe.shift import ShiftPE
from rtl.pe.shift_add import ShiftAddPE
from rtl.pe.simhash import SimHashTree
from rtl.pe.ternary import TernaryAddPE

INT8 = st.integers(-128, 127)


def one(pe: Any, **operands: int) -> int:
    """The accumulator after a single beat."""
    columns = {name: np.asarray([value]) for name, value in operands.items()}
    return int(pe.compute([True], **columns)["acc"][0])


@given(INT8, INT8)
def test_integer_and_adder(x: int, w: int) -> None:
    assert one(IntegerMac(), x=x, w=w) == x * w
    assert one(AdderPE(), x=x, w=w) == -abs(x - w)


@given(INT8, st.integers(0, 15))
def test_shift_to_the_right_is_the_value_of_the_weight(x: int, w: int) -> None:
    exact = ShiftPE(direction="right", fraction=7)
    assert one(exact, x=x, w=w) == x * float(formats.decode([w], "pow2_4")[0]) * 2**7
    zero = ShiftPE(direction="right", fraction=6, zero=True)
    assert one(zero, x=x, w=w) == x * float(formats.decode([w], "pow2z_4")[0]) * 2**6


@given(INT8, st.integers(0, 15))
def test_shift_to_the_left_and_truncation(x: int, w: int) -> None:
    sign = -1 if w >= 8 else 1
    assert one(ShiftPE(), x=x, w=w) == sign * x * 2 ** (w % 8)
    assert one(ShiftPE(direction="right"), x=x, w=w) == sign * (x // 2 ** (w % 8))


@given(INT8, INT8)
def test_shift_add_is_one_or_the_other(x: int, w: int) -> None:
    assert one(ShiftAddPE(), x=x, w=w, mode=0) == one(ShiftPE(), x=x, w=w % 16)
    assert one(ShiftAddPE(), x=x, w=w, mode=1) == one(AdderPE(), x=x, w=w)
    assert one(ShiftAddPE(shift_bits=5, zero=True), x=x, w=w, mode=0) == one(ShiftPE(w_bits=5, zero=True), x=x, w=w % 32)


@given(INT8, st.integers(0, 1))
def test_binary_weights_are_their_formats(x: int, w: int) -> None:
    assert one(BinaryAddPE(), x=x, w=w) == x * int(formats.decode([w], "bin01")[0])
    assert one(BinaryAddPE(weights="bin"), x=x, w=w) == x * int(formats.decode([w], "bin")[0])


@pytest.mark.parametrize("bits", [bits for bits in TAPS if bits <= 16])
def test_the_shift_register_visits_every_state_but_zero(bits: int) -> None:
    state, length = step(1, bits), 1
    while state != 1:
        state, length = step(state, bits), length + 1
    assert length == 2**bits - 1


@given(st.lists(st.tuples(INT8, st.integers(0, 1)), min_size=1, max_size=40), st.integers(1, 31))
def test_ternary_signs_do_not_depend_on_the_mask(beats: list[tuple[int, int]], seed: int) -> None:
    pe, state, expected = TernaryAddPE(lfsr_bits=5), seed, 0
    for x, keep in beats:
        expected += keep * (-x if state & 1 else x)
        state = step(state, 5)
    count = len(beats)
    x, keep = (np.asarray(column) for column in zip(*beats, strict=True))
    sums = pe.compute(
        np.arange(count) == 0, x=x, keep=keep, reseed=np.arange(count) == 0, seed=np.full(count, seed)
    )
    assert int(sums["acc"][-1]) == expected


@given(st.integers(0, 255), INT8, st.integers(0, 15))
def test_bit_serial_reads_the_lowest_bits(x: int, w: int, precision: int) -> None:
    bits = min(max(precision, 1), 8)
    low = x % 2**bits
    assert one(BitSerialMac(), x=x, w=w, precision=precision) == (low - 2**bits * (low >> (bits - 1))) * w


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 3), st.integers(0, 3))
def test_fusible_lanes_are_slices_of_the_bus(x: int, w: int, x_mode: int, w_mode: int) -> None:
    x_bits, w_bits = 2 << min(x_mode, 2), 2 << min(w_mode, 2)
    lanes = (8 // x_bits) * (8 // w_bits)

    def number(bus: int, bits: int, lane: int) -> int:
        code = (bus >> (bits * lane)) % 2**bits
        return code - 2**bits * (code >> (bits - 1))

    total = sum(number(x, x_bits, lane) * number(w, w_bits, lane) for lane in range(lanes))
    assert one(FusibleMac(), x=x, w=w, x_mode=x_mode, w_mode=w_mode) == total


def test_throughput_ratios_by_precision() -> None:
    modes = np.asarray([0, 1, 2])
    fused = FusibleMac().products(x=modes, w=modes, x_mode=modes, w_mode=modes)
    assert fused.tolist() == [16, 4, 1]
    mixed = FusibleMac().products(x=modes, w=modes, x_mode=np.asarray([2, 2, 2]), w_mode=modes)
    assert mixed.tolist() == [4, 2, 1]
    cycles = BitSerialMac(x_bits=16).cycles(precision=np.arange(18))
    assert cycles.tolist() == [1, *range(1, 17), 16]


@given(
    st.lists(st.tuples(INT8, st.integers(-(2**15), 2**15 - 1)), min_size=1, max_size=12), st.integers(0, 4000)
)
def test_predictive_sign_in_two_passes(beats: list[tuple[int, int]], threshold: int) -> None:
    pe, count = PredictiveSignPE(), len(beats)
    predictor = sum((x >> 4) * (g >> 6) for x, g in beats)
    full = sum(x * g for x, g in beats)
    sure = abs(predictor) >= threshold
    expected = predictor << 10 if sure else full
    x, g = (np.tile(column, 2) for column in zip(*beats, strict=True))
    rest = np.repeat([0, 1], count)
    found = pe.compute(
        np.arange(2 * count) == 0, x=x, g=g, rest=rest, threshold=np.full(2 * count, threshold)
    )
    assert (int(found["sure"][-1]), int(found["acc"][-1])) == (sure, expected)
    assert int(found["sign"][-1]) == (expected > 0) - (expected < 0)


@given(st.lists(INT8, min_size=4, max_size=4), st.integers(0, 15))
def test_simhash_is_a_signed_sum_and_its_sign(xs: list[int], signs: int) -> None:
    columns = {f"x_{lane}": np.asarray([x]) for lane, x in enumerate(xs)}
    found = SimHashTree().compute([True], **columns, signs=np.asarray([signs]))
    total = sum(-x if signs >> lane & 1 else x for lane, x in enumerate(xs))
    assert (int(found["acc"][0]), int(found["hash"][0])) == (total, total >= 0)


@given(st.lists(st.tuples(st.integers(-7, 7), st.booleans()), min_size=1, max_size=60))
@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
def test_accumulation_wraps_or_saturates(overflow: Any, beats: list[tuple[int, bool]]) -> None:
    terms, starts = (np.asarray(column) for column in zip(*beats, strict=True))
    starts[0] = True
    total, expected = 0, []
    for term, start in zip(terms.tolist(), starts.tolist(), strict=True):
        total = (0 if start else total) + term
        total = min(max(total, -8), 7) if overflow == "saturate" else (total + 8) % 16 - 8
        expected.append(total)
    assert accumulate(terms, starts, 4, overflow).tolist() == expected


@pytest.mark.parametrize("name", CATALOG)
def test_latency_is_the_formula(name: str) -> None:
    assert find(name).latency == 1 + find(name).stages


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: IntegerMac(accumulator=15), "accumulator must have at least the 16 bits of a term"),
        (lambda: PredictiveSignPE(x_high=9), "high bits must be at most the bits of their operand"),
        (lambda: TernaryAddPE(lfsr_bits=17), "width must be one of 3, 4, 5"),
        (lambda: IntegerMac(x_bits=17), "less than or equal to 16"),
        (lambda: BitSerialMac(overflow="saturate"), "Input should be 'wrap'"),
    ],
)
def test_parameters_that_make_no_hardware(make: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        make()
