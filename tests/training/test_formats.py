"""Formats priced as others: the same as if the step had been traced, and reported, in those."""

import re

import pytest

import hwsim
from hwsim.errors import HwsimError, InputError
from hwsim.training import TrainingRun, lines
from hwsim.training.facts import Facts, Mixed
from hwsim.training.log import LogWriter
from hwsim.workload import Workload
from hwsim.workload.contraction import matmul
from tests.training.test_history import HEADER


def step(*formats):
    return Workload(name="step", samples=2, operators=(matmul("m", rows=8, inner=16, columns=4, formats=formats),))


def run(directory, workload, weights):
    log = LogWriter(directory, HEADER)
    log.structure(0, workload)
    log.line(lines.ModulesLine(modules=("",)))
    log.line(lines.FactsLine(facts=Mixed(parts=(Facts(weights=weights),))))
    for state in ("", "B", "B"):
        log.step(0, 2, state)
    log.close()
    return TrainingRun.load(directory)


def test_traced_and_reported_formats_are_replaced(tmp_path):
    given = run(tmp_path / "a", step("bf16", "bf16", "bf16"), "fp8_e4m3")
    wanted = run(tmp_path / "b", step("fp16", "fp16", "fp16"), "int8")
    with pytest.raises(HwsimError, match=r"^m: technology .* no coefficient mult\.bf16; .* \(--as prices one format as another\)$"):
        hwsim.score(given)
    result = hwsim.score(given, formats={"bf16": "fp16", "fp8_e4m3": "int8"})
    plain = hwsim.score(wanted)
    assert result.energy_j == plain.energy_j
    assert result.timeline == plain.timeline
    assert result.notes == ("Formats priced as others: bf16 as fp16, fp8_e4m3 as int8.", *plain.notes)


def test_workloads_and_several_architectures():
    on = ["eyeriss-45nm", "free-dataflow-45nm"]
    given = hwsim.score(step("bf16", "bf16", "fp32"), on, formats={"bf16": "fp16"})
    wanted = hwsim.score(step("fp16", "fp16", "fp32"), on)
    assert [one.operators for one in given] == [one.operators for one in wanted]


@pytest.mark.parametrize(
    ("formats", "message"),
    [({"int4": "int8"}, "formats: must be a format of the run, not 'int4'"), ({"bf16": "float"}, "format")],
)
def test_wrong_formats(formats, message):
    with pytest.raises(InputError, match=re.escape(message)):
        hwsim.score(step("bf16", "bf16", "bf16"), formats=formats)
