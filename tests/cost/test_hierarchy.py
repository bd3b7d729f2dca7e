"""Pricing on a free dataflow: the bill is that of the mapping, and the best choice of bypass and ports wins."""

import json
import math

import pytest

from hwsim import HwsimError, Workload, score
from hwsim.cli.main import main
from hwsim.mapper import map_operator
from hwsim.workload import Operand
from hwsim.workload.contraction import conv2d, matmul
from tests.chips import chip

CONV = {"batch": 2, "in_channels": 8, "out_channels": 16, "input_size": (14, 14), "kernel": (3, 3), "padding": (1, 1)}


def workload(*operators):
    return Workload(name="test", operators=operators)


@pytest.mark.parametrize("writes", ["output", "input", "weight"])
def test_the_bill_adds_up_to_the_cost_of_the_mapping(tmp_path, writes):
    operator = conv2d("c", writes=writes, **CONV)
    cost = score(workload(operator), chip(tmp_path)).operators[0]
    mapped = map_operator(operator, chip(tmp_path), "edp")
    assert cost.energy_pj == pytest.approx(mapped.energy_pj, rel=1e-9)
    assert cost.latency_s == pytest.approx(mapped.latency_s, rel=1e-9)
    assert math.fsum(charge.energy_pj for charge in cost.charges) == pytest.approx(cost.energy_pj)
    covered = math.prod(size for _, size in cost.mapping.items())
    assert covered == operator.macs
    assert {charge.operand for charge in cost.charges if charge.component == "dram"} == {"input", "weight", "output"}


def test_objectives_order_what_they_minimise(tmp_path):
    operator = conv2d("c", **CONV)
    energy, latency, edp = (map_operator(operator, chip(tmp_path), name) for name in ("energy", "latency", "edp"))
    assert energy.energy_pj <= min(latency.energy_pj, edp.energy_pj)
    assert latency.latency_s <= min(energy.latency_s, edp.latency_s)
    assert edp.energy_pj * edp.latency_s <= min(one.energy_pj * one.latency_s for one in (energy, latency)) * (1 + 1e-9)


def test_a_choice_of_bypass_is_never_worse_and_can_be_better(tmp_path):
    operator = matmul("p", rows=2, inner=64, columns=64)
    held = map_operator(operator, chip(tmp_path), "energy").energy_pj
    free = map_operator(operator, chip(tmp_path, ("bits: 65536", "bits: 65536, may_bypass: [weight]")), "energy").energy_pj
    assert free < held


def test_unlike_ports_are_tried_both_ways(tmp_path):
    few = ("words: {input: 4, weight: 16, output: 4}", "words: {input: 16, weight: 4, output: 4}")
    one, other = matmul("p", rows=3, inner=8, columns=64), matmul("p", rows=64, inner=8, columns=3)
    first = map_operator(one, chip(tmp_path), "energy").energy_pj
    assert map_operator(one, chip(tmp_path, few), "energy").energy_pj == pytest.approx(first)
    assert map_operator(other, chip(tmp_path), "energy").energy_pj == pytest.approx(first)


def test_narrow_formats_take_more_lanes(tmp_path):
    path = chip(tmp_path, ("nodes:", "contractions: {format: int8}\nlanes: {int8: 4}\nnodes:"), ("1.6", "160"))
    cost = score(workload(conv2d("c", **CONV)), path).operators[0]
    assert cost.latency_s == pytest.approx(conv2d("c", **CONV).macs / 4 / 4 / 100e6)


def test_elementwise_work_and_biases_are_priced(tmp_path):
    plain = conv2d("c", **CONV)
    biased = plain.model_copy(update={"operands": (*plain.operands, Operand(name="bias", shape=(16,), format="fp32"))})
    difference_pj = score(workload(biased), chip(tmp_path)).operators[0].energy_pj
    difference_pj -= score(workload(plain), chip(tmp_path)).operators[0].energy_pj
    assert difference_pj == pytest.approx(plain.operand("output").elements * 0.9 + 16 * (400 + 44.4 + 14.8 + 7.4))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("{memory: dram, energy: dram}", "{memory: dram, energy: dram, holds: [input]}"), "nodes: the first must be a memory that always holds input, weight and output, not"),
        (("size: 4", "size: 0"), "nodes[2].size: must be greater than 0, not 0"),
        (("energy: global_buffer", "energy: {input: global_buffer}"), "nodes[1].energy: energy must name a coefficient for weight too, not {'input': 'global_buffer'}"),
    ],
)
def test_wrong_descriptions_are_refused(tmp_path, change, message):
    with pytest.raises(HwsimError, match=r"chip\.yaml: ") as caught:
        score(workload(conv2d("c", **CONV)), chip(tmp_path, change))
    assert message in str(caught.value)


def test_what_cannot_be_done_is_said(tmp_path):
    operator = conv2d("c", **CONV)
    with pytest.raises(HwsimError, match=r"^eyeriss-45nm has a fixed dataflow: only architectures of kind hierarchy"):
        map_operator(operator, "eyeriss-45nm")
    with pytest.raises(HwsimError, match=r"^objective must be energy, latency, edp or as energy\^2\*latency\^0.5, not 'area'$"):
        map_operator(operator, objective="area")
    with pytest.raises(HwsimError, match=r"^c: accounting shiftaddnas "):
        score(workload(operator), chip(tmp_path), "shiftaddnas")
    with pytest.raises(HwsimError, match=r"^c: no mapping fits chip: memory buffer holds 8 bits; the tile needs 96: 11 bytes missing, for a single point$"):
        score(workload(operator), chip(tmp_path, ("bits: 65536", "bits: 8")))


def test_the_command_prints_nest_and_proof(tmp_path, capsys):
    path = workload(conv2d("conv", **CONV), matmul("fc", rows=4, inner=8, columns=8)).save(tmp_path / "w.json")
    with pytest.raises(SystemExit) as stopped:
        main(["map", str(path), "fc", "--on", chip(tmp_path), "--objective", "energy"])
    assert not stopped.value.code
    out = capsys.readouterr().out
    assert out.startswith("fc on ")
    assert "optimal: " in out
    assert "conv on" not in out
    with pytest.raises(SystemExit):
        main(["map", str(path), "--on", chip(tmp_path), "--json"])
    nets = json.loads(capsys.readouterr().out)
    assert [net["operator"] for net in nets] == ["conv", "fc"]
    assert nets[0]["certificate"]["space"] > nets[0]["certificate"]["visited"] > 0
    with pytest.raises(SystemExit):
        main(["map", str(path), "none"])
    assert capsys.readouterr().err.strip().endswith("contraction must be one of conv, fc, not 'none'")
