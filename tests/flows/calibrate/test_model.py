"""Rates of activity against a count bit by bit; the fit against what made its data; held-out streams on real gates."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.calibrate import measure, networks, packing, streams, synthesis
from flows.calibrate.activity import SerialCycles, activity
from flows.calibrate.library import Library
from flows.calibrate.model import Sample, fit, nonnegative
from flows.calibrate.streams import Streams
from flows.verify import tools
from hwsim import HwsimError
from rtl.pe import find
from rtl.pe.adder import AdderPE
from rtl.pe.integer import IntegerMac
from rtl.pe.serial import BitSerialMac
from rtl.pe.shift import ShiftPE


def stream(valid=None, first=None, **operands):
    count = len(next(iter(operands.values())))
    return Streams(
        ("s",), {name: np.array([values]) for name, values in operands.items()},
        np.array([first or [True] + [False] * (count - 1)]), np.array([valid or [True] * count]),
    )  # fmt: skip


def test_rates_of_three_operations_counted_by_hand():
    rates = activity(IntegerMac(x_bits=4, w_bits=4, accumulator=10), stream(x=[3, 3, -1], w=[1, 2, 2]))
    by_hand = {  # from zero; x: 0011 -> 0011 -> 1111; w: 0001 -> 0010 -> 0010; term: 3 -> 6 -> -2; held: 3 -> 9 -> 7
        "operations": 3, "cycles": 3, "restarts": 1, "valid edges": 0,
        "ones held": 2 + 2 + 3, "zeros held": 8 + 8 + 7,  # 3, 9, 7 in ten bits
        "x, lower half": 2, "x, upper half": 2, "w, lower half": 3, "w, upper half": 0,
        "term, lower half": 2 + 2 + 1, "term, upper half": 0 + 0 + 4,  # 0011, 0110, 1111 1110
        "held, lower half": 2 + 2 + 3, "held, upper half": 0,  # 00011, 01001, 00111
        "added to, lower half": 0 + 2 + 2, "added to, upper half": 0,  # 0, 3, 9
        "bit products": 2 + 4 + 2,
    }  # fmt: skip
    assert {name: rates[name][0] * 3 for name in by_hand} == pytest.approx(by_hand)


def test_an_idle_cycle_shows_the_adder_its_sum():
    pe = AdderPE(bits=4, accumulator=8)
    busy = activity(pe, stream(x=[5, 5], w=[1, 1]))
    idle = activity(pe, stream(x=[5, 5, 5], w=[1, 1, 1], valid=[True, False, True]))
    assert idle["cycles"] == 1.5 * busy["cycles"]
    assert idle["valid edges"] == 1
    assert idle["ones held"] > busy["ones held"]  # -4 stays for a cycle more
    assert idle["held, lower half"] == busy["held, lower half"]
    assert idle["summed, lower half"] == busy["summed, lower half"]  # -4, -8: the second is there a cycle earlier
    assert idle["added to, lower half"] == busy["added to, lower half"]


INTEGERS = st.lists(st.tuples(st.integers(-8, 7), st.integers(-8, 7), st.booleans()), min_size=1, max_size=12)


@given(INTEGERS)
def test_operands_and_results_toggle_as_often_as_their_bits_differ(beats):
    x, w, first = map(list, zip(*beats, strict=True))
    pe = IntegerMac(x_bits=4, w_bits=4, accumulator=12)
    rates = activity(pe, stream(x=x, w=w, first=[True, *first[1:]]))
    for name, values, bits in (
        ("x", x, 4), ("held", pe.compute([True, *first[1:]], x=x, w=w)["acc"].tolist(), 12),
    ):  # fmt: skip
        words = [0, *values]
        changed = [(a ^ b) & ((1 << bits) - 1) for a, b in pairwise(words)]
        low = bits // 2
        assert rates[f"{name}, lower half"][0] * len(x) == pytest.approx(sum((c % (1 << low)).bit_count() for c in changed))
        assert rates[f"{name}, upper half"][0] * len(x) == pytest.approx(sum((c >> low).bit_count() for c in changed))


@given(INTEGERS)
def test_serial_cycles_add_up_to_the_operations(beats):
    x, w, first = (np.array(column) for column in zip(*beats, strict=True))
    first[0] = True
    pe = BitSerialMac(x_bits=4, w_bits=4, accumulator=12)
    operands = {"x": x & 15, "w": w, "precision": np.arange(len(x)) % 4 + 1}
    acc = pe.compute(first, **operands)["acc"]
    cycles = SerialCycles(pe, **operands)
    before = np.where(first, 0, np.concatenate([[0], acc[:-1]]))
    assert (cycles.sums(before) + cycles.term)[cycles.last].tolist() == acc.tolist()
    assert set((cycles.term - cycles.addend).tolist()) <= {0, 1}  # a carry
    assert len(cycles.term) == operands["precision"].sum()


def test_operations_that_were_not_simulated_are_not_counted():
    operands = {"x": [1, 2, 3, 7], "w": [1, 1, 2, 5]}
    pe = IntegerMac(x_bits=4, w_bits=4, accumulator=12)
    short = activity(pe, stream(**{name: values[:3] for name, values in operands.items()}))
    assert activity(pe, stream(**operands), np.array([3])) == short


def test_the_levels_of_a_shifter_toggle():
    pe = ShiftPE(x_bits=4, w_bits=3, accumulator=12)
    rates = activity(pe, stream(x=[5, 5], w=[0, 2]))
    # by one: 000 0101 twice; by two behind it: 000 0101, then 001 0100
    assert (rates["shifted, lower half"][0] * 2, rates["shifted, upper half"][0] * 2) == (2 + 2 + 1, 1)


@given(st.integers(0, 1000))
def test_the_fit_is_the_best_that_is_not_negative(seed):
    generator = np.random.default_rng(seed)
    matrix, target = generator.random((30, 6)), generator.normal(size=30)
    x = nonnegative(matrix, target)
    gradient = matrix.T @ (target - matrix @ x)
    assert (x >= 0).all()
    assert gradient.max() <= 1e-6  # Kuhn and Tucker: nothing to gain by more of anything,
    assert np.abs(gradient[x > 0]).max(initial=0) <= 1e-6  # nor by less of what there is


def test_a_fit_finds_the_energies_that_made_its_data():
    generator = np.random.default_rng(0)
    rates = {name: generator.random(60) for name in ("cycles", "x, lower half", "w, lower half")}
    names = tuple(("uniform x relu, sums of 4", "held x walk, sums of 9")[index % 2] for index in range(60))
    sample = Sample(names, rates, 2 * rates["cycles"] + 0.5 * rates["x, lower half"])
    model = fit(sample, {"same": sample})
    assert {rate.name: rate.energy_pj for rate in model.rates} == pytest.approx({"cycles": 2, "x, lower half": 0.5})
    assert [rate.unit for rate in model.rates] == ["1/op", "bit/op"]
    assert model.held_out[0].max_error < 1e-6
    assert model.energy_pj({"cycles": 1, "x, lower half": 2, "w, lower half": 9}) == pytest.approx(3)
    with pytest.raises(HwsimError, match=r"^the energy model needs the rate 'x, lower half', which the activity does not give$"):
        model.energy_pj({"cycles": 1})


@pytest.mark.parametrize("name", ["int8_mac", "shift8", "matadd8", "bf16_mac", "int16_mac", "uint8x4_mac_sat"])
def test_operands_of_networks_are_in_the_range_of_the_format(name):
    pe = find(name)
    assert packing.plain(pe)
    group = networks.streams(pe, networks.FITTED, 8, 300, seed=0)
    for operand in pe.operands:
        low, high = streams.limits(pe, operand)
        assert low <= group.operands[operand].min() <= group.operands[operand].max() <= high
        assert len(np.unique(group.operands[operand])) > (1 if "mat" in name and operand == "w" else 4)


def test_another_network_is_predicted(tmp_path):
    """Gates of a small MAC; fitted without any operands of a network."""
    library = Library([tools.cells("osu018_stdcells.lib")])
    synthesis.place(library, tmp_path)
    pe = IntegerMac(x_bits=4, w_bits=4, accumulator=14)
    bench = measure.Bench(pe, synthesis.synthesise(pe.create(), library, tmp_path, synthesis.Recipe()), library)
    sample = Sample.joined(bench.run(streams.designed(pe, 64, 400, seed)).sample(pe) for seed in (2, 3, 4))
    model = fit(sample, {"network": bench.run(networks.streams(pe, "mlp", 32, 400, seed=2)).sample(pe)})
    assert model.held_out[0].mean_error < 0.02
    assert model.held_out[0].max_error < 0.05
    assert model.residual < 0.03
