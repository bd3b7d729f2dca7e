"""Counts of the row-stationary chip against a walk over its processing passes, and its best mapping against all mappings."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim import Workload, score
from hwsim.architecture import load_architecture
from hwsim.architecture.architecture import _PRESETS as PRESETS
from hwsim.cost.row_stationary_chip import Layer, Zeros, activity
from hwsim.cost.row_stationary_chip_pricing import _energy_pj, _least_product, best_mapping, cost_of
from hwsim.errors import HwsimError
from hwsim.mapping.lowering import convolution_nest
from hwsim.mapping.row_stationary import Nest
from hwsim.mapping.row_stationary_chip import ChipMapping, ChipMappings, check, mappings, sets
from hwsim.technology import load_technology
from hwsim.technology.technology import _TABLES as TABLES
from hwsim.workload import Operand
from hwsim.workload.contraction import conv2d

CHIP = load_architecture("eyeriss-v1")[0]
TECHNOLOGY = load_technology("eyeriss-v1-65nm")


def blocks(total, size):
    return [range(start, min(start + size, total)) for start in range(0, total, size)]


def layer(nest, *sides):
    return Layer(nest, "mac.int16", Zeros(), tuple((f"side{i}", words) for i, words in enumerate(sides)))


def walk(nest, mapping, *, bias=False):
    """Every processing pass in turn: cycles and the words it moves, padding of groups to full passes included."""
    cycles = inputs = filters = psums = biases = 0
    channels = blocks(nest.c, mapping.q * mapping.r)
    columns = (nest.f - 1) * nest.stride[1] + nest.s
    for images, outputs, rows in itertools.product(
        blocks(nest.n, mapping.n), blocks(nest.m, mapping.p * mapping.t), blocks(nest.e, mapping.e)
    ):
        touched = {row * nest.stride[0] + kernel for row in rows for kernel in range(nest.r)}
        if nest.stride[0] > nest.r:
            touched = set(range(min(touched), max(touched) + 1))
        for position, block in enumerate(channels):
            results = len(images) * len(outputs) * len(rows) * nest.f
            psums += results * (1 if position == 0 else 2)
            biases += len(outputs) * (bias and position == 0)
            cycles += mapping.p * mapping.t / 4 * (bias and position == 0)
            inputs += len(images) * len(block) * len(touched) * columns
            filters += len(outputs) * len(block) * nest.r * nest.s
            compute = mapping.p * mapping.q * nest.s * nest.f * mapping.n
            psum_port = mapping.p * mapping.t * len(rows) * nest.f * mapping.n / 4
            input_port = mapping.q * mapping.r * len(touched) * columns * mapping.n
            load = mapping.p * mapping.t * mapping.q * mapping.r * nest.r * nest.s / 4
            first = mapping.q * mapping.r * len(touched) * nest.s
            cycles += max(compute, psum_port, input_port) + load + first + (nest.r * mapping.r - 1) * mapping.p
    return [nest.repeats * value for value in (cycles, inputs, filters, psums, biases)]


@st.composite
def small_nests(draw):
    r, s = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    e, f, stride = draw(st.integers(1, 7)), draw(st.integers(1, 7)), draw(st.integers(1, 2))
    h, w = (e - 1) * stride + r, (f - 1) * stride + s
    n, m, c = (draw(st.integers(1, top)) for top in (3, 8, 6))
    return Nest(n, m, c, e, f, r, s, h, w, stride=(stride, stride), repeats=draw(st.integers(1, 2)))


@settings(max_examples=60, deadline=None)
@given(small_nests(), st.booleans(), st.data())
def test_counts_equal_a_walk_over_the_passes(nest, bias, data):
    candidates = data.draw(st.sampled_from(list(mappings(nest, CHIP))))
    mapping = candidates[data.draw(st.integers(0, len(candidates) - 1))]
    sides = [nest.repeats * nest.m] if bias else []
    counted = activity(layer(nest, *sides), ChipMappings.of(mapping), CHIP)
    biases = sum(counted.side_words, np.zeros(1))
    moved = (counted.cycles, counted.input_words, counted.filter_words, counted.psum_words, biases)
    assert [float(values[0]) for values in moved] == pytest.approx(walk(nest, mapping, bias=bias))
    assert counted.buffer_words[0] == sum(float(values[0]) for values in moved[1:])
    assert counted.dram_bits[0] == pytest.approx(counted.awaited_bits[0] + 16 * (counted.filter_words + biases)[0])


def legal(nest):
    """All mappings of a nest, one by one."""
    for e, n, r, t in itertools.product(*(range(1, top + 1) for top in (nest.e, nest.n, nest.c, nest.m))):
        if r * t > sets(nest.r, e, CHIP):
            continue
        for p, q in itertools.product(range(1, nest.m + 1), range(1, nest.c + 1)):
            for m in range(p * t, math.ceil(nest.m / (p * t)) * p * t + 1, p * t):
                mapping = ChipMapping(m=m, n=n, e=e, p=p, q=q, r=r, t=t)
                try:
                    check(nest, mapping, CHIP)
                except HwsimError:
                    continue
                yield mapping


@settings(max_examples=15, deadline=None)
@given(small_nests().filter(lambda nest: nest.m * nest.c * nest.e <= 60))
def test_best_mapping_equals_brute_force(nest):
    one = layer(nest, nest.repeats * nest.m)

    def value(mapping):
        cost = cost_of(one, mapping, CHIP, TECHNOLOGY)
        counted = cost.activity
        filters, maps = (float(bits[0]) / CHIP.dram_bits_per_cycle for bits in (counted.streamed_bits, counted.awaited_bits))
        return sum(charge.energy_pj for charge in cost.charges) * (max(cost.cycles, filters) + maps)

    best = best_mapping(one, CHIP, TECHNOLOGY)
    check(nest, best, CHIP)
    assert value(best) == pytest.approx(min(map(value, legal(nest))))


@pytest.mark.parametrize(
    "nest", [Nest(4, 384, 256, 13, 13, 3, 3, 13, 13), Nest(1, 64, 64, 56, 56, 3, 3, 56, 56), Nest(512, 768, 768), Nest(1, 7, 5, 3, 3)]
)  # fmt: skip
def test_no_mapping_is_below_the_bound_of_its_strip(nest):
    """The bounds order strips and end the search; those of strips that hold the best mapping are within a factor of three."""
    closest = math.inf
    for t in mappings(nest, CHIP):
        counted = activity(layer(nest), t, CHIP)
        values = _energy_pj(counted, CHIP, TECHNOLOGY) * counted.total_cycles(CHIP.dram_bits_per_cycle)
        compute = layer(nest).macs * TECHNOLOGY.coefficient("mac.int16").energy_pj()
        values += compute * counted.total_cycles(CHIP.dram_bits_per_cycle)
        bound = _least_product(layer(nest), t[0].e, t[0].n, CHIP, TECHNOLOGY)
        assert bound <= values.min()
        closest = min(closest, values.min() / bound)
    assert closest < (3 if nest.m > 7 else 10)


def test_every_candidate_is_legal():
    nest = Nest(4, 96, 3, 55, 55, 11, 11, 227, 227, stride=(4, 4))
    for candidates in mappings(nest, CHIP):
        for index in np.linspace(0, len(candidates) - 1, 10).astype(int):
            check(nest, candidates[int(index)], CHIP)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"p": 25, "m": 100}, "mapping needs p = 25, but there are 24 partial sums in a scratchpad"),
        ({"q": 5}, "mapping needs q * S = 15, but there are 12 input words in a scratchpad"),
        ({"m": 96}, "mapping needs buffer = 68496, but there are 51200 words in the global buffer"),
        ({"t": 5, "m": 80}, "mapping needs r * t = 5, but there are 4 sets of 3 x 13 elements"),
        ({"m": 32}, "mapping needs p * t = 64, but there are 32 output channels in the mapping's part of the buffer"),
        ({"n": 5}, "mapping needs n = 5, but there are 4 images"),
        ({"e": 14}, "mapping needs e = 14, but there are 13 output rows"),
    ],
)
def test_an_illegal_mapping_names_the_limit(change, message):
    nest = Nest(4, 384, 256, 13, 13, 3, 3, 13, 13)
    published = {"m": 64, "n": 4, "e": 13, "p": 16, "q": 4, "r": 1, "t": 4}
    check(nest, ChipMapping(**published), CHIP)
    with pytest.raises(HwsimError) as caught:
        check(nest, ChipMapping(**published | change), CHIP)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("m", "n", "e", "channels", "size", "kernel", "stride", "kib"),
    [(96, 1, 7, 1, 227, 11, 4, 15.4 + 72.2), (64, 1, 27, 2, 31, 5, 1, 3.8 + 91.1), (64, 4, 13, 6, 15, 3, 1, 10.5 + 84.5)],
)
def test_buffer_sizes_equal_those_of_the_paper(m, n, e, channels, size, kernel, stride, kib):
    """Table III of the JSSC paper prints the buffer's share of inputs and partial sums for its mappings."""
    from hwsim.mapping.row_stationary_chip import buffered_words

    f = (size - kernel) // stride + 1
    nest = Nest(4, m, 256, f, f, kernel, kernel, size, size, stride=(stride, stride))
    mapping = ChipMappings.of(ChipMapping(m=m, n=n, e=e, p=1, q=channels, r=1, t=1))
    assert buffered_words(nest, mapping)[0] * 2 / 1024 == pytest.approx(kib, abs=0.11)


def test_zeros_of_the_input_are_gated():
    from hwsim import Workload, score

    def cost(density):
        conv = conv2d("c", batch=1, in_channels=64, out_channels=64, input_size=(28, 28), kernel=(3, 3), padding=(1, 1))
        operands = [conv.operand("input").model_copy(update={"density": density}), *conv.operands[1:]]
        conv = conv.model_copy(update={"operands": tuple(operands)})
        return score(Workload(name="w", operators=(conv,)), on="eyeriss-v1").operators[0]

    dense, half = cost(1.0), cost(0.5)
    macs = {charge.coefficient: charge.times for charge in half.charges}["mac.int16"]
    assert macs == dense.macs / 2
    assert half.energy_pj < dense.energy_pj


def test_a_bias_is_on_the_bill():
    plain = conv2d("c", batch=2, in_channels=8, out_channels=16, input_size=(6, 6), kernel=(3, 3))
    bias = Operand(name="bias", shape=(16,), format="fp32")
    residual = Operand(name="other", shape=plain.operand("output").shape, format="fp32")
    for side, least in ((bias, 16), (residual, residual.elements)):
        operator = plain.model_copy(update={"operands": (*plain.operands, side)})
        without, cost = (score(Workload(name="w", operators=(o,)), "eyeriss-v1").operators[0] for o in (plain, operator))
        moved = {c.component: c.times for c in cost.charges if c.operand == side.name}
        assert moved.keys() == {"dram", "global_buffer"}
        assert moved["dram"] == moved["global_buffer"] >= least
        assert moved["dram"] % least == 0
        assert cost.energy_pj > without.energy_pj


def test_feature_maps_are_waited_for_and_filters_are_not():
    operator = conv2d("c", batch=1, in_channels=8, out_channels=16, input_size=(16, 16), kernel=(3, 3))
    cost = score(Workload(name="w", operators=(operator,)), "eyeriss-v1").operators[0]
    dram = {c.operand: c.times * c.bits / CHIP.dram_bits_per_cycle for c in cost.charges if c.component == "dram"}
    clock = next(c.times for c in cost.charges if c.coefficient == "clock")
    assert clock > dram["weight"]
    assert cost.latency_s * 200e6 == pytest.approx(clock + dram["input"] + dram["output"])


def test_a_kernel_beyond_the_scratchpads_runs_as_a_product_or_names_what_is_missing():
    wide = conv2d("c", batch=1, in_channels=2, out_channels=2, input_size=(32, 32), kernel=(30, 30))
    cost = score(Workload(name="w", operators=(wide,)), "eyeriss-v1").operators[0]
    assert cost.macs == wide.macs
    with pytest.raises(HwsimError, match=r"^no mapping fits eyeriss-v1: the smallest mapping needs q \* S = 30, but there are 12 input words"):
        best_mapping(layer(convolution_nest(wide)), CHIP, TECHNOLOGY)


def test_widths_come_from_the_description(tmp_path):
    text = (PRESETS / "eyeriss-v1.yaml").read_text()
    operator = conv2d("c", batch=1, in_channels=2, out_channels=2, input_size=(4, 4), kernel=(3, 3))
    own = tmp_path / "own.yaml"

    def priced(*changes):
        changed = text.replace("technology: eyeriss-v1-65nm", f"technology: {tmp_path / 'own-65nm.yaml'}")
        for old, new in changes:
            assert old in changed
            changed = changed.replace(old, new)
        own.write_text(changed)
        return score(Workload(name="w", operators=(operator,)), str(own)).operators[0]

    table = (TABLES / "eyeriss-v1-65nm.yaml").read_text()
    (tmp_path / "own-65nm.yaml").write_text(table.replace("mac.int16:", "mac.int8:"))
    narrow = priced(("format: int16", "format: int8"), ("\nword_bits: 16", "\nword_bits: 8"))
    assert next(c for c in narrow.charges if c.component == "compute").coefficient == "mac.int8"
    with pytest.raises(HwsimError, match=r"^c: technology eyeriss-v1-65nm has no coefficient mac.int16"):
        priced()
    with pytest.raises(HwsimError, match=r"^c: eyeriss-v1 has words of 16 bits, too narrow for fp32$"):
        priced(("contractions: {format: int16}", ""))
