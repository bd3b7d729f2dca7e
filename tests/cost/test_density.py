"""Expected values of zeros equal enumerations and random trials; nothing is gained that is not declared."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim import HwsimError, Workload, score
from hwsim.architecture import load_architecture
from hwsim.architecture.sparsity import Bitmap, Csr, RunLength
from hwsim.cost.density import compressed_bits, skipped_time
from hwsim.cost.moves import activity_of, moves_of
from hwsim.cost.on_chip import NOTHING
from hwsim.mapper import map_operator
from hwsim.mapping.mapping import Mapping, evaluate
from hwsim.workload.contraction import conv2d, matmul
from tests.chips import chip

CONV = {"batch": 2, "in_channels": 8, "out_channels": 16, "input_size": (6, 6), "kernel": (3, 3), "padding": (1, 1)}
REGISTERS = "words: {input: 4, weight: 16, output: 4}"
CSR = "{format: csr, index_bits: 4, row_words: 16}"


def sparse(operator, **densities):
    operands = tuple(
        one.model_copy(update={"density": densities[one.name], "density_structure": "random"})
        if one.name in densities else one
        for one in operator.operands
    )  # fmt: skip
    return operator.model_copy(update={"operands": operands})


def beside(folder):
    """Where the same chip without the declarations lies."""
    (folder / "plain").mkdir(exist_ok=True)
    return folder / "plain"


def priced(operator, path):
    return score(Workload(name="w", operators=(operator,)), path).operators[0]


def run_length_bits(zeros, bits, run_bits):
    """Encode a sequence as a chip does, pair by pair."""
    pairs = run = 0
    for zero in zeros:
        if zero and run < 2**run_bits - 1:
            run += 1
        else:
            pairs, run = pairs + 1, 0
    return (pairs + (run > 0)) * (bits + run_bits)


@pytest.mark.parametrize("density", [0.01, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("run_bits", [1, 3, 5])
def test_run_lengths(density, run_bits):
    zeros = np.random.default_rng(run_bits).random(400_000) >= density
    measured = run_length_bits(zeros, 16, run_bits) / len(zeros)
    assert compressed_bits(RunLength(format="run_length", run_bits=run_bits), 16, density) == pytest.approx(measured, rel=0.02)


@given(st.integers(1, 10), st.floats(0.05, 1), st.integers(1, 32), st.integers(1, 16), st.integers(1, 32))
def test_bitmap_and_csr_equal_an_enumeration(words, density, bits, index_bits, pointer_bits):
    bitmap = csr = 0.0
    for kept in itertools.product([False, True], repeat=words):
        chance = math.prod(density if one else 1 - density for one in kept)
        bitmap += chance * (words + bits * sum(kept))
        csr += chance * (pointer_bits + (bits + index_bits) * sum(kept))
    assert compressed_bits(Bitmap(format="bitmap"), bits, density) == pytest.approx(bitmap / words)
    row = Csr(format="csr", index_bits=index_bits, pointer_bits=pointer_bits, row_words=words)
    assert compressed_bits(row, bits, density) == pytest.approx(csr / words)
    assert compressed_bits(row, bits, 1e-9) >= pointer_bits / words


@settings(max_examples=50)
@given(st.integers(1, 3), st.integers(1, 4), st.floats(0.05, 1))
def test_waiting_for_the_slowest_equals_an_enumeration(lanes, window, density):
    expected = 0.0
    for kept in itertools.product([0, 1], repeat=lanes * window):
        chance = math.prod(density if one else 1 - density for one in kept)
        expected += chance * max(sum(kept[i * window : (i + 1) * window]) for i in range(lanes))
    assert skipped_time(density, lanes, window) == pytest.approx(expected / window)


@pytest.mark.parametrize(("density", "lanes", "window"), [(0.3, 168, 64), (0.9, 16, 1000), (0.02, 1024, 4096)])
def test_waiting_for_the_slowest_of_many(density, lanes, window):
    trials = np.random.default_rng(1).binomial(window, density, size=(2000, lanes)).max(axis=1).mean() / window
    assert skipped_time(density, lanes, window) == pytest.approx(trials, rel=0.01)
    assert skipped_time(density, lanes, window) > density


def test_zeros_save_nothing_unless_the_architecture_says_so(tmp_path):
    dense = conv2d("c", **CONV)
    assert priced(sparse(dense, input=0.3, weight=0.5), chip(tmp_path)) == priced(dense, chip(tmp_path))


def trial(zeros_input, zeros_weight, gating):
    """Operations, second-factor reads and updates of a product whose units look at factors in the order of ``gating``."""
    operations = reads = 0
    for n, m, c in np.ndindex(zeros_input.shape[0], zeros_weight.shape[0], zeros_input.shape[1]):
        at = {"input": zeros_input[n, c], "weight": zeros_weight[m, c]}
        if gating[0] == "none" or not at[gating[0]]:
            reads += 1
            operations += not any(at[name] for name in gating if name != "none")
    return operations, reads


@pytest.mark.parametrize("gating", [["input"], ["weight"], ["input", "weight"], ["weight", "input"]])
def test_gating_saves_operations_and_accesses_of_zeros_but_no_time(tmp_path, gating):
    density = {"input": 0.4, "weight": 0.7}
    plain = matmul("p", rows=8, inner=8, columns=8)
    path = chip(tmp_path, ("nodes:", f"zeros: {{gating: [{', '.join(gating)}]}}\nnodes:"))
    before, after = priced(plain, chip(beside(tmp_path))), priced(sparse(plain, **density), path)
    rng = np.random.default_rng(0)
    trials = [
        trial(rng.random((8, 8)) >= density["input"], rng.random((8, 8)) >= density["weight"], gating) for _ in range(150)
    ]
    operations, second_reads = np.mean(trials, axis=0) / 512
    share = {c.coefficient: c.times / b.times for b, c in zip(before.charges, after.charges, strict=True)
             if c.component == "compute"}  # fmt: skip
    assert share == pytest.approx(dict.fromkeys(("mult.fp32", "add.fp32"), operations), rel=0.05)
    assert after.latency_s == before.latency_s
    registers = {c.operand: (b.times, c.times) for b, c in zip(before.charges, after.charges, strict=True)
                 if c.component == "register_file"}  # fmt: skip
    assert registers[gating[0]][1] == registers[gating[0]][0]
    other = "weight" if gating[0] == "input" else "input"
    filled = registers[other][0] - 512
    assert registers[other][1] - filled == pytest.approx(512 * second_reads, rel=0.05)


def test_skipping_takes_time_off_and_pays_for_indices(tmp_path):
    compressed = (REGISTERS, f"{REGISTERS}, compression: {{weight: {CSR}}}")
    skipping = ("nodes:", "zeros: {skipping: {ports: [weight], window: 64}}\nnodes:")
    fast = ("1.6", "1600")
    dense = conv2d("c", **CONV)
    path = chip(tmp_path, compressed, skipping, fast)
    full, half, tenth = (priced(sparse(dense, weight=d), path) for d in (1.0, 0.5, 0.1))
    plain = priced(dense, chip(beside(tmp_path), fast))
    assert full.latency_s == plain.latency_s
    assert full.energy_pj > plain.energy_pj  # indices and pointers
    assert 0.5 < half.latency_s / full.latency_s < 0.75
    assert 0.1 < tenth.latency_s / full.latency_s < 0.25
    assert tenth.energy_pj < half.energy_pj < full.energy_pj
    pruned = sparse(dense, weight=0.5)
    pruned = pruned.model_copy(update={"operands": tuple(
        one.model_copy(update={"density_structure": "channel"}) if one.name == "weight" else one for one in pruned.operands
    )})  # fmt: skip
    assert priced(pruned, path).latency_s == pytest.approx(full.latency_s / 2)


def test_factors_keep_their_ports_where_zeros_tell_them_apart(tmp_path):
    few = ("words: {input: 4, weight: 16, output: 4}", "words: {input: 16, weight: 4, output: 4}")
    gated = ("nodes:", "zeros: {gating: [weight]}\nnodes:")
    operator = sparse(matmul("p", rows=3, inner=8, columns=64), weight=0.25)
    for changes in ((gated,), (gated, few)):
        cost = priced(operator, chip(tmp_path, *changes))
        compute = {c.coefficient: c.times for c in cost.charges if c.component == "compute"}
        assert compute["mult.fp32"] == operator.macs * 0.25


def test_stored_formats_change_the_traffic_where_they_are_declared(tmp_path):
    dram = ("{memory: dram, energy: dram}", "{memory: dram, energy: dram, compression: {input: {format: bitmap}, output: {format: bitmap}}}")
    operator = sparse(conv2d("c", **CONV), input=0.25, output=0.5)
    before, after = priced(operator, chip(beside(tmp_path))), priced(operator, chip(tmp_path, dram))
    bits = {(c.component, c.operand): c.bits for c in after.charges}
    assert bits["dram", "input"] == pytest.approx(0.25 * 32 + 1)
    assert bits["dram", "output"] == pytest.approx(0.5 * 32 + 1)
    assert bits["dram", "weight"] == bits["global_buffer", "input"] == 32
    assert after.energy_pj < before.energy_pj
    dense = conv2d("c", **CONV)
    assert priced(dense, chip(tmp_path, dram)).energy_pj > priced(dense, chip(beside(tmp_path))).energy_pj


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("nodes:", "zeros: {skipping: {ports: [weight], window: 8}}\nnodes:"),
         "skipping weight needs its indices: memory registers must compress weight"),
        (("nodes:", "zeros: {gating: [input, input]}\nnodes:"), "a factor must be named once, by gating or by skipping"),
        ((REGISTERS, f"{REGISTERS}, compression: {{output: {CSR}}}"),
         "output may be compressed in the first memory only, where it is final, not in registers"),
        ((REGISTERS, f"{REGISTERS}, compression: {{input: {{format: zip}}}}"), "compression"),
    ],
)  # fmt: skip
def test_wrong_declarations_are_refused(tmp_path, change, message):
    with pytest.raises(HwsimError) as caught:
        priced(conv2d("c", **CONV), chip(tmp_path, change))
    assert message in str(caught.value)


@pytest.mark.parametrize(("unrolled", "lanes"), [("m", 1), ("n", 4)])
def test_units_that_see_the_same_zeros_do_not_wait_for_each_other(tmp_path, unrolled, lanes):
    compressed = (REGISTERS, f"{REGISTERS}, compression: {{input: {CSR}}}")
    skipping = ("nodes:", "zeros: {skipping: {ports: [input], window: 16}}\nnodes:")
    changes = (("size: 4", f"size: 4, unroll: [{unrolled}]"), ("1.6", "1600"), compressed, skipping)
    operator = matmul("p", rows=16, inner=16, columns=16)
    full, half = (priced(sparse(operator, input=d), chip(tmp_path, *changes)) for d in (1.0, 0.5))
    assert half.mapping[f"grid.{unrolled}"] == 4
    assert half.latency_s / full.latency_s == pytest.approx(skipped_time(0.5, lanes, 16))


def test_partial_sums_that_pass_a_compressed_memory_are_dense(tmp_path):
    dram = ("{memory: dram, energy: dram}", "{memory: dram, energy: dram, compression: {output: {format: bitmap}}}")
    operator = sparse(matmul("p", rows=4, inner=8, columns=2), output=0.5)
    path = chip(tmp_path, dram)
    found = map_operator(operator, path, "edp").found
    again = Mapping(((("c", 8), ("n", 4), ("m", 2)), (), (), ()))  # every result returns for every c
    found = replace(found, mapping=again, cost=evaluate(again, found.problem, found.hierarchy))
    architecture, _ = load_architecture(path)
    activity = activity_of(found, architecture, operator)
    moves = moves_of(found, architecture, operator, [(32, 32, 32)] * 4, activity, NOTHING)[0]
    output = next(move for move in moves if move.operand == "output")
    assert (output.reads, output.writes) == (7 * 8, 8 * 8)
    assert output.words * output.bits == pytest.approx(8 * (0.5 * 32 + 1) + 2 * 7 * 8 * 33)
