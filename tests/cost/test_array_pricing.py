"""Scores on systolic arrays and BitFusion: exact latency, bills recounted by hand, refusals that name the limit."""

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim import HwsimError, Workload, score
from hwsim.architecture import load_architecture
from hwsim.cost.result import Results
from hwsim.cost.systolic import Run
from hwsim.report import write_html
from hwsim.technology import load_technology
from hwsim.workload import Operand
from hwsim.workload.contraction import conv2d, matmul
from hwsim.workload.forms import Elementwise
from tests.strategies import convolutions, products

INT8, INT4 = ("int8",) * 3, ("int4",) * 3
ARRAYS = ("tpu-v1-like", "gemmini-like-16x16", "bitfusion-16x32")


def one(operator, on):
    return score(Workload(name="w", operators=(operator,)), on).operators[0]


def times(cost, component):
    return {(c.operand, c.coefficient): (c.times, c.bits) for c in cost.charges if c.component == component}


def variant(tmp_path, name, **fields):
    """A preset with other fields, as a file."""
    _, folder = load_architecture(name)
    text = (folder / f"{name}.yaml").read_text()
    for field, value in fields.items():
        text = re.sub(rf"^{field}: .*$", f"{field}: {value}", text, flags=re.MULTILINE)
    path = tmp_path / "variant.yaml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("dataflow", ["os", "ws", "is"])
def test_latency_is_the_exact_number_of_cycles(tmp_path, dataflow):
    on = variant(tmp_path, "gemmini-like-16x16", dataflow=dataflow, dram_gb_per_s=1e6)
    operator = conv2d("c", batch=2, in_channels=8, out_channels=24, input_size=(9, 9), kernel=(3, 3), formats=INT8)
    run = Run(2 * 7 * 7, 8 * 9, 24, 16, 16, dataflow)
    cost = one(operator, on)
    assert cost.latency_s * 1e9 == pytest.approx(run.cycles, rel=1e-12)
    assert cost.mapping["cycles"] == run.cycles
    assert cost.bound == "compute"


def test_groups_and_batched_products_run_one_after_another():
    depthwise = conv2d("dw", batch=1, in_channels=32, out_channels=32, groups=32, input_size=(18, 18), kernel=(3, 3))
    assert one(depthwise, "gemmini-like-16x16").mapping["cycles"] == 32 * Run(256, 9, 1, 16, 16, "ws").cycles
    batched = matmul("p", batch=5, rows=7, inner=20, columns=9)
    assert one(batched, "gemmini-like-16x16").mapping["cycles"] == 5 * Run(7, 20, 9, 16, 16, "ws").cycles


@pytest.mark.parametrize(
    ("writes", "size"), [("output", (12, 20, 9)), ("input", (12, 9, 20)), ("weight", (20, 12, 9))]
)
def test_gradients_keep_the_weight_in_the_array(writes, size):
    cost = one(matmul("p", rows=12, inner=20, columns=9, writes=writes), "gemmini-like-16x16")
    assert (cost.mapping["m"], cost.mapping["k"], cost.mapping["n"]) == size
    held = {"output": "weight", "input": "weight", "weight": "output"}[writes]
    assert times(cost, "global_buffer")[held, "global_buffer"][0] == math.prod(size[1:])


def test_a_bill_on_a_weight_stationary_array_recounted():
    cost = one(matmul("p", rows=100, inner=40, columns=50, formats=INT8), "gemmini-like-16x16")
    row_folds, column_folds = 3, 4
    assert times(cost, "compute") == {("", "mult.int8"): (200000, 0), ("", "add.int32"): (200000, 0)}
    assert times(cost, "global_buffer") == {
        ("input", "global_buffer"): (100 * 40 * column_folds, 8),
        ("weight", "global_buffer"): (40 * 50, 8),
        ("output", "global_buffer"): (100 * 50 * (2 * row_folds - 1), 32),
    }
    assert times(cost, "dram") == {("input", "dram"): (4000, 8), ("weight", "dram"): (2000, 8), ("output", "dram"): (5000, 8)}
    assert times(cost, "register_file") == times(cost, "network") == {}


@pytest.mark.parametrize(
    ("dataflow", "sram", "words"),
    [
        # 100 x 40 times 40 x 50 on 16 x 16: 7, 3 and 4 folds along m, k and n
        ("os", "{input_kib: 3.9, weight_kib: 0.7, output_kib: 64}", (4 * 4000, 2000)),  # a block of weights is 640 B
        ("os", "{input_kib: 4, weight_kib: 0.6, output_kib: 64}", (4000, 7 * 2000)),
        ("ws", "{input_kib: 3.9, weight_kib: 0.1, output_kib: 64}", (4 * 4000, 2000)),
        ("ws", "{input_kib: 2, weight_kib: 0.1, output_kib: 3.2}", (4000, 2 * 2000)),  # sums of 100 x 16 are 6.25 KiB
        ("is", "{input_kib: 0.1, weight_kib: 1.9, output_kib: 64}", (4000, 7 * 2000)),
        ("is", "{input_kib: 0.1, weight_kib: 1, output_kib: 1.6}", (2 * 4000, 2000)),  # sums of 16 x 50 are 3.125 KiB
    ],
)
def test_what_no_memory_holds_crosses_the_dram_again(tmp_path, dataflow, sram, words):
    on = variant(tmp_path, "gemmini-like-16x16", dataflow=dataflow, sram=sram)
    dram = times(one(matmul("p", rows=100, inner=40, columns=50, formats=INT8), on), "dram")
    assert (dram["input", "dram"][0], dram["weight", "dram"][0], dram["output", "dram"][0]) == (*words, 5000)


def test_a_bill_on_bitfusion_recounted():
    operator = conv2d("c", batch=2, in_channels=100, out_channels=40, input_size=(6, 6), kernel=(3, 3), formats=INT4)
    cost = one(operator, "bitfusion-16x32")
    windows = 2 * 4 * 4 * 9
    assert cost.mapping == {"products_per_unit": 4, "cycles": windows * 2 * 2, "repeats": 1}
    assert times(cost, "compute") == {("", "fusion_unit"): (windows * 2 * 2 * 512, 0)}
    assert times(cost, "global_buffer") == {
        ("input", "input_buffer"): (windows * 100 * 2, 4),
        ("weight", "weight_buffer"): (windows * 100 * 40, 4),
        ("output", "output_buffer_write"): (windows * 2 * 40, 32),
        ("output", "output_buffer_read"): (windows * 2 * 40 - 2 * 4 * 4 * 40, 32),
    }
    assert times(cost, "dram") == {
        ("input", "dram"): (2 * 100 * 36, 4), ("weight", "dram"): (40 * 100 * 9, 4), ("output", "dram"): (2 * 40 * 16, 4)
    }  # fmt: skip


def test_bitfusion_energy_of_a_cycle_is_the_published_power():
    unit = load_technology("bitfusion-45nm").coefficient("fusion_unit")
    assert unit.energy_pj() == pytest.approx(3_673_500e-9 / 16 / 500e6 * 1e12)


def test_bitfusion_lists_what_it_cannot_price():
    relu = Elementwise(kind="elementwise", name="relu", elements=64, format="int8").operator()
    work = Workload(name="w", operators=(matmul("p", rows=8, inner=8, columns=8, formats=INT8), relu))
    result = score(work, "bitfusion-16x32")
    assert [cost.covered for cost in result.operators] == [True, False]
    assert result.operators[1].note == "bitfusion has no model of operators that are no contractions"
    assert result.coverage == pytest.approx(1536 / (1536 + 1024))
    array = score(work, "gemmini-like-16x16").operators[1]
    assert {charge.component for charge in array.charges} == {"compute", "dram", "global_buffer"}
    assert array.covered


def test_other_operators_run_at_one_per_column_and_cycle(tmp_path):
    relu = Elementwise(kind="elementwise", name="relu", elements=64, format="int8").operator()
    assert one(relu, "gemmini-like-16x16").latency_s == pytest.approx(2 * 64 * 8 / 16e9 / 8)
    assert one(relu, variant(tmp_path, "gemmini-like-16x16", dram_gb_per_s=1e6)).latency_s == pytest.approx(4e-9)


@pytest.mark.parametrize("on", ["gemmini-like-16x16", "bitfusion-16x32"])
def test_a_bias_comes_from_the_dram_once(on):
    product = matmul("p", rows=8, inner=8, columns=8, formats=INT8)
    bias = Operand(name="bias", shape=(8,), format="int32", role="parameter")
    with_bias = one(product.model_copy(update={"operands": (*product.operands, bias)}), on)
    without = one(product, on)
    assert times(with_bias, "dram") == times(without, "dram") | {("bias", "dram"): (8, 32)}
    added = times(with_bias, "compute").keys() - times(without, "compute").keys()
    assert added == ({("bias", "add.int32")} if on == "gemmini-like-16x16" else set())


@pytest.mark.parametrize(
    ("on", "operator", "accounting", "message"),
    [
        ("bitfusion-16x32", matmul("p", rows=4, inner=4, columns=4, formats=("pow2_5", "int8", "int8")), "operator",
         "p: bitfusion-16x32 multiplies integers; operand input is pow2_5"),
        ("bitfusion-16x32", matmul("p", rows=4, inner=4, columns=4, formats=("int8", "int16", "int8")), "operator",
         "p: weight: a fusion unit takes 1 to 8 bits, not '16 bits'"),
        ("bitfusion-16x32", matmul("p", rows=4, inner=4, columns=4, formats=INT8, primitive="shift"), "operator",
         "p: bitfusion-16x32 computes mac, not shift"),
        ("tpu-v1-like", matmul("p", rows=4, inner=4, columns=4, primitive="add"), "operator",
         "p: tpu-v1-like computes mac, not add"),
        ("tpu-v1-like", matmul("p", rows=4, inner=4, columns=4), "shiftaddnas",
         "p: accounting shiftaddnas is about row-stationary arrays; tpu-v1-like needs operator"),
    ],
)  # fmt: skip
def test_refusals_name_the_limit(on, operator, accounting, message):
    with pytest.raises(HwsimError, match=f"^{re.escape(message)}$"):
        score(Workload(name="w", operators=(operator,)), on, accounting)


@settings(max_examples=40, deadline=None)
@given(convolutions() | products(), st.sampled_from(ARRAYS))
def test_every_contraction_and_gradient_is_priced_and_adds_up(operator, on):
    operands = tuple(operand.model_copy(update={"format": "int4"}) for operand in operator.operands)
    result = score(Workload(name="w", operators=(operator.model_copy(update={"operands": operands}),)), on)
    cost = result.operators[0]
    assert cost.energy_pj == pytest.approx(math.fsum(charge.energy_pj for charge in cost.charges), rel=1e-12)
    for charge in cost.charges:
        coefficient = result.coefficients[charge.coefficient]
        assert charge.energy_pj == pytest.approx(charge.times * coefficient.energy_pj(charge.bits), rel=1e-12)
    peak = result.architecture.peak_operations_per_s * (4 if on == "bitfusion-16x32" else 1)
    assert cost.macs / cost.latency_s <= peak * (1 + 1e-12)
    assert cost.energy_pj > 0


def test_results_of_every_kind_can_be_stored_and_loaded(tmp_path):
    work = Workload(name="w", operators=(matmul("p", rows=8, inner=8, columns=8, formats=INT8),))
    results = Results(results=tuple(score(work, [*ARRAYS, "eyeriss-45nm"])))
    assert Results.load(results.save(tmp_path / "r.json")) == results
    assert write_html(results.results, tmp_path / "r.html").stat().st_size > 0
