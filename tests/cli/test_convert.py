"""`hwsim convert` writes workloads that `hwsim score` prices, and its errors are one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hwsim.cli.main import main
from hwsim.workload import Workload

DATA = Path(__file__).parents[1] / "data"


def call(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return stopped.value.code or 0, out, err


def test_convert_then_score(capsys, tmp_path):
    target = tmp_path / "work.json"
    status, out, err = call(capsys, "convert", DATA / "scalesim/gemm.csv", target)
    assert (status, err) == (0, "")
    assert out == f"{target}: 2 operators, 29202432 MACs (SCALE-Sim topology)\n"
    assert call(capsys, "score", target, "--json")[0] == 0


def test_summary_as_json_and_forced_format(capsys, tmp_path):
    source = DATA / "accelforge/chain.yaml"
    status, out, _ = call(capsys, "convert", source, tmp_path / "w.yaml", "--from", "accelforge", "--json")
    assert status == 0
    assert json.loads(out)["operators"] == len(Workload.load(tmp_path / "w.yaml").operators) == 3


def test_errors_leave_no_file(capsys, tmp_path):
    source, target = tmp_path / "no.csv", tmp_path / "w.json"
    assert call(capsys, "convert", source, target) == (1, "", f"error: {source}: cannot be read: no such file or directory\n")
    bad = tmp_path / "w.txt"
    expected = f"error: {bad}: output name must end in .json, .yaml or .yml, not '.txt'\n"
    assert call(capsys, "convert", DATA / "scalesim/gemm.csv", bad) == (1, "", expected)
    assert list(tmp_path.iterdir()) == []
