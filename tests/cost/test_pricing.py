"""Bills add up, and each rule of an accounting convention shows in them."""

import math

import pytest

from hwsim import HwsimError, Workload, score
from hwsim.training.facts import AS_TRACED
from hwsim.training.run import TrainingRun
from hwsim.training.tally import Span
from hwsim.workload import Operand, Operator
from hwsim.workload.contraction import conv2d, matmul
from hwsim.workload.workload import SkippedOperator

PRESETS = ["eyeriss-45nm", "eyeriss-45nm-int8", "eyeriss-45nm-shiftadd"]
GEOMETRY = {"batch": 4, "in_channels": 8, "out_channels": 16, "input_size": (8, 8), "kernel": (3, 3)}


def workload(*operators):
    return Workload(name="test", operators=operators)


def step():
    convolutions = [conv2d(f"conv.{w}", padding=(1, 1), writes=w, **GEOMETRY) for w in ("output", "input", "weight")]
    relu = Operator(
        name="relu", primitive="elementwise", dims={"x": 4096}, arithmetic={"add": 1}, module="relu",
        operands=(Operand(name="input", shape=(4096,), format="fp32"),
                  Operand(name="output", shape=(4096,), format="fp32", access="write")),
    )  # fmt: skip
    return workload(*convolutions, relu, matmul("attention", rows=16, inner=8, columns=16, batch=4, count=3))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("accounting", ["operator", "shiftaddnas", "shiftaddvit"])
def test_parts_sum_to_totals(preset, accounting):
    work = step() if accounting == "operator" else workload(step().operators[0], step().operators[4])
    result = score(work, preset, accounting)
    for cost in result.operators:
        assert cost.energy_pj == pytest.approx(math.fsum(c.energy_pj for c in cost.charges), rel=1e-12)
        for charge in cost.charges:
            coefficient = result.coefficients[charge.coefficient]
            assert charge.energy_pj == pytest.approx(charge.times * coefficient.energy_pj(charge.bits), rel=1e-12)
    for keys in (["phase"], ["component"], ["phase", "component", "module"]):
        assert math.fsum(result.energy_j_by(*keys).values()) == pytest.approx(result.energy_j, rel=1e-12)
    assert math.fsum(result.latency_s_by("phase").values()) == pytest.approx(result.latency_s, rel=1e-12)


def test_a_shift_replaces_only_products_with_a_weight():
    result = score(step(), "eyeriss-45nm-shiftadd")
    primitives = {cost.name: cost.primitive for cost in result.operators}
    assert primitives == {
        "conv.output": "shift", "conv.input": "shift", "conv.weight": "mac", "relu": "elementwise", "attention": "mac"
    }  # fmt: skip


def test_integer_products_accumulate_in_32_bits():
    cost = score(workload(matmul("p", rows=8, inner=8, columns=8)), "eyeriss-45nm-int8").operators[0]
    compute = {charge.coefficient: charge.energy_pj for charge in cost.charges if charge.component == "compute"}
    assert compute == pytest.approx({"mult.int8": 512 * 0.2, "add.int32": 512 * 0.1})


def test_elementwise_work_streams_every_operand_once():
    cost = score(workload(step().operators[3])).operators[0]
    dram = sum(charge.energy_pj for charge in cost.charges if charge.component == "dram")
    assert dram == pytest.approx(2 * 4096 * 400.0)
    assert cost.latency_s == pytest.approx(max(4096 / 168, 2 * 4096 * 32 / 409.6) / 250e6)
    assert cost.bound == "dram"


def test_paper_conventions_list_what_they_do_not_price():
    result = score(workload(step().operators[0], step().operators[3]), accounting="shiftaddnas")
    assert [cost.covered for cost in result.operators] == [True, False]
    assert result.coverage == pytest.approx(result.operators[0].bits_moved / sum(c.bits_moved for c in result.operators))


def test_what_a_trace_skipped_lowers_the_coverage():
    work = step()
    bits = sum(operator.bits_moved * operator.count for operator in work.operators)
    missing = SkippedOperator(name="odd", source="aten::odd", bits=bits)
    result = score(work.model_copy(update={"skipped": (missing,)}))
    assert result.coverage == pytest.approx(0.5)
    assert (result.operators[-1].name, result.operators[-1].covered) == ("odd", False)
    assert result.energy_j == score(work).energy_j


def test_steps_that_were_not_traced_are_noted():
    ran = Span(None, "", 0, 5, 24)
    counts = {(0, None): {AS_TRACED: 3.0}, (1, None): {AS_TRACED: 2.0}}  # of step 1 nothing is known
    result = score(TrainingRun.of("run", {0: (step(), None)}, [(ran, counts)], {}))
    assert result.notes[0] == "2 further steps are not counted: their operators were not traced."
    assert result.energy_j == pytest.approx(3 * score(step()).energy_j)


def test_identical_operators_are_priced_once_and_counted():
    one, three = score(workload(matmul("a", rows=4, inner=4, columns=4))), score(
        workload(matmul("a", rows=4, inner=4, columns=4, count=2), matmul("b", rows=4, inner=4, columns=4))
    )
    assert three.energy_j == pytest.approx(3 * one.energy_j, rel=1e-12)
    assert [cost.name for cost in three.operators] == ["a", "b"]


def test_a_bias_is_read_once_and_added_to_every_result():
    plain = conv2d("c", **GEOMETRY)
    biased = plain.model_copy(update={"operands": (*plain.operands, Operand(name="bias", shape=(16,), format="fp32"))})
    difference_pj = score(workload(biased)).operators[0].energy_pj - score(workload(plain)).operators[0].energy_pj
    assert difference_pj == pytest.approx(4 * 16 * 36 * 0.9 + 16 * (400 + 44.4 + 14.8 + 7.4))


def test_uncertainty_is_that_of_one_coefficient_when_one_dominates():
    result = score(workload(step().operators[3]))
    spent = dict.fromkeys(result.coefficients, 0.0)
    for charge in result.operators[0].charges:
        spent[charge.coefficient] += charge.energy_pj
    expected = math.sqrt(sum((energy * 0.3) ** 2 for energy in spent.values())) * 1e-12
    assert result.uncertainty_j == pytest.approx(expected)


def test_errors_name_operator_and_limit():
    patches = conv2d("embed", batch=1, in_channels=3, out_channels=8, input_size=(32, 32), kernel=(16, 16), stride=(16, 16))
    assert score(workload(patches)).operators[0].mapping["repeats"] == 1  # falls back to the matrix product
    reason = "the smallest tile needs 16 input words in the register file; fewer than 12 are there"
    with pytest.raises(HwsimError, match=f"^embed: no tiling fits eyeriss-45nm: {reason}$"):
        score(workload(patches), accounting="shiftaddnas")
    with pytest.raises(HwsimError, match=r"^p: accounting shiftaddnas prices 32 or 8 bits, not 16 \(bf16\)$"):
        score(workload(matmul("p", rows=4, inner=4, columns=4, formats=("bf16",) * 3)), accounting="shiftaddnas")
    with pytest.raises(HwsimError, match=r"^p: technology shiftaddnet-45nm has no coefficient mult\.bf16; it has mult"):
        score(workload(matmul("p", rows=4, inner=4, columns=4, formats=("bf16",) * 3)))


def test_progress_counts_distinct_operators():
    seen = []
    score(step(), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, 5) for i in range(1, 6)]
