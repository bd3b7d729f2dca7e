"""`hwsim map` with an operator written on the command line."""

import json

import pytest

from hwsim.cli.main import main
from hwsim.mapper import map_operator
from hwsim.workload.contraction import matmul

LINEAR = "{kind: linear, batch: 30, in_features: 512, out_features: 2048}"


def call(status, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main(["map", *arguments])
    assert (stopped.value.code or 0) == status


def test_an_operator_on_the_command_line_is_mapped_like_one_in_a_file(capsys):
    call(0, LINEAR, "--objective", "energy", "--json")
    [result] = json.loads(capsys.readouterr().out)
    same = map_operator(matmul("fc", rows=30, inner=512, columns=2048), objective="energy")
    assert result["energy_pj"] == same.energy_pj


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LINEAR.replace("30", "0"), "operator: operators[0].batch: must be greater than or equal to 1, not 0"),
        ("{kind: linear, batch: 1}", "operator: operators[0].in_features: field is required"),
        ("{kind: norm}", "operator: operators[0].kind: must be one of linear, matmul, conv2d, elementwise, einsum, not 'norm'"),
        ("{kind: linear", "operator: is not well-formed: while parsing a flow mapping"),
        ("{} {}", "operator: is not well-formed: did not find expected <document start>"),
    ],
)  # fmt: skip
def test_a_wrong_operator_is_told_what_is_wrong(capsys, text, message):
    call(1, text)
    assert capsys.readouterr().err.startswith(f"error: {message}")
