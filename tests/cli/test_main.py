"""The command line: verbs load when called, errors are one line, results reach files and pipes."""

import json
import os
import subprocess
import sys

import pytest

from hwsim.architecture import architectures
from hwsim.cli.main import main

WORK = """\
schema: hwsim/workload/1
name: small
operators:
  - {kind: linear, name: fc, batch: 30, in_features: 512, out_features: 512, module: head}
  - {kind: elementwise, name: relu, elements: 100}
"""


@pytest.fixture
def work(tmp_path):
    path = tmp_path / "w.yaml"
    path.write_text(WORK)
    return path


def call(capsys, *arguments):
    """Run in process; return exit status, standard output and standard error."""
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return stopped.value.code or 0, out, err


def test_help_lists_every_verb_without_importing_it():
    code = (
        "import sys\nfrom hwsim.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in sys.modules if m.startswith('hwsim.cli.') and m != 'hwsim.cli.main' or m in ('torch', 'plotly', 'numpy')])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "[]"
    for verb in ("demo", "record", "score", "explain"):
        assert f"\n  {verb} " in shown
    assert "Price a workload or a training run" in shown


def test_version(capsys):
    assert call(capsys, "--version") == (0, "hwsim 0.1.0\n", "")


def test_score_prints_the_whole_result_as_json(capsys, work):
    status, out, err = call(capsys, "score", work, "--on", "eyeriss-45nm,eyeriss-45nm-int8", "--json")
    assert status == 0, err
    results = json.loads(out)["results"]
    assert [result["architecture"]["name"] for result in results] == ["eyeriss-45nm", "eyeriss-45nm-int8"]
    assert results[0]["summary"]["energy_j"] > results[1]["summary"]["energy_j"] > 0
    assert [cost["name"] for cost in results[0]["operators"]] == ["fc", "relu"]


def test_published_convention_on_the_command_line(capsys, work):
    _, out, _ = call(capsys, "score", work, "--on", "eyeriss-45nm", "--accounting", "shiftaddnas", "--json")
    fc, relu = json.loads(out)["results"][0]["operators"]
    assert fc["energy_pj"] * 1e-9 == pytest.approx(0.4098455552, abs=1e-10)
    assert fc["latency_s"] * 250e6 == pytest.approx(61440)
    assert relu["covered"] is False


def test_explain_names_every_coefficient_and_source(capsys, work, tmp_path):
    result = tmp_path / "result.json"
    call(capsys, "score", work, "--on", "eyeriss-45nm,eyeriss-45nm-int8", "-o", result)
    status, out, _ = call(capsys, "explain", result, "fc", "--json")
    bills = json.loads(out)
    assert status == 0
    assert [bill["architecture"] for bill in bills] == ["eyeriss-45nm", "eyeriss-45nm-int8"]
    charged = sum(charge["energy_pj"] for charge in bills[0]["cost"]["charges"])
    assert charged == pytest.approx(bills[0]["cost"]["energy_pj"])
    for bill in bills:
        assert {charge["coefficient"] for charge in bill["cost"]["charges"]} == bill["coefficients"].keys()
        assert all(coefficient["source"] for coefficient in bill["coefficients"].values())
    status, out, _ = call(capsys, "explain", result, "0", "--on", "eyeriss-45nm")
    assert status == 0
    for text in ("fc (head) on eyeriss-45nm", "mult.fp32", "3.7 pJ/op", "ShiftAddNet"):
        assert text in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score", "no.yaml"], "error: no.yaml: cannot be read: no such file or directory"),
        (["score", "w.yaml", "--on", "tpu"], f"error: architecture must be a .yaml file or one of {', '.join(architectures())}, not 'tpu'"),
        (["score", "w.yaml", "--accounting", "x"], "error: accounting must be one of operator, pe, shiftaddnas, shiftaddvit, not 'x'"),
        (["score", "w.yaml", "-o", "w.yaml/r.json"], "error: cannot write w.yaml/r.json: file exists"),
        (["score", "w.yaml", "--html", "w.yaml/r.html"], "error: cannot write w.yaml/r.html: file exists"),
        (["explain", "w.yaml", "fc"], "error: w.yaml: schema: must be 'hwsim/results/1', not 'hwsim/workload/1'"),
        (["explain", "r.json", "nothing"], "error: operator must be a number below 2 or a name such as fc, relu, not 'nothing'"),
        (["explain", "r.json", "7"], "error: operator must be a number below 2 or a name such as fc, relu, not '7'"),
        (["explain", "r.json", "fc", "--on", "x"], "error: architecture must be one of eyeriss-45nm, not 'x'"),
    ],
)
def test_errors_are_one_line_with_status_1(capsys, work, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    call(capsys, "score", "w.yaml", "-o", "r.json")
    status, _, err = call(capsys, *arguments)
    assert status == 1
    assert err.strip().splitlines()[-1] == message
    assert work.read_text() == WORK


def test_an_unknown_verb_is_named(capsys):
    status, _, err = call(capsys, "scroe")
    assert status == 2
    assert "No such command 'scroe'" in err


def test_output_can_be_piped(work):
    shown = subprocess.run(
        [sys.executable, "-m", "hwsim.cli.main", "score", str(work)], capture_output=True, text=True, check=True,
        env=os.environ | {"COLUMNS": "100"},
    )  # fmt: skip
    assert "\x1b" not in shown.stdout
    assert max(len(line) for line in shown.stdout.splitlines()) <= 100
