"""Comparing, describing, budgeting and exporting from the command line."""

import json

import pytest

from hwsim.cli.main import main
from hwsim.training.log import LogWriter
from hwsim.workload import Workload
from hwsim.workload.contraction import matmul
from tests.training.test_history import HEADER


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run ``hwsim`` in an empty folder that holds the recorded runs ``a`` and ``b``."""
    monkeypatch.chdir(tmp_path)
    for name, rows in (("a", 8), ("b", 4)):
        log = LogWriter(tmp_path / name, HEADER.model_copy(update={"name": name}))
        log.structure(0, Workload(name=name, samples=2, operators=(matmul("m", rows=rows, inner=16, columns=16),)))
        for _ in range(6):
            log.step(0, 2)
        log.close()

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main(list(arguments))
        shown = capsys.readouterr()
        return end.value.code, shown.out, shown.err

    return run


def test_runs_and_results_side_by_side(call, tmp_path):
    assert call("score", "b", "-o", "b.json")[0] == 0
    status, out, _ = call("compare", "a", "b.json", "--html", "page.html", "-o", "both.json")
    assert status == 0
    assert "eyeriss-45nm (a)" in " ".join(out.split())
    assert "eyeriss-45nm (b)" in " ".join(out.split())
    assert [one["workload"] for one in json.loads((tmp_path / "both.json").read_text())["results"]] == ["a", "b"]
    assert (tmp_path / "page.html").exists()
    assert json.loads(call("compare", "a", "b", "--json")[1])["results"][1]["workload"] == "b"


def test_comparing_needs_two(call):
    assert call("compare", "a") == (1, "", "error: must be two or more to compare, not 1\n")


def test_a_description_is_scored_like_its_run(call):
    status, out, _ = call("describe", "a", "-o", "a.yaml")
    assert (status, out) == (0, "Done: 6 epochs or parts, 6 steps in a.yaml\n")
    run, described = (json.loads(call("score", name, "--json")[1])["results"][0]["summary"] for name in ("a", "a.yaml"))
    assert described == run


def test_workloads_are_not_described(call):
    assert call("describe", "a/structures/0.json", "-o", "x.yaml") == (
        1, "", "error: a/structures/0.json: must be a training run, not a workload\n",
    )  # fmt: skip


def test_epochs_are_listed(call):
    status, out, _ = call("score", "a", "--on", "ethos-u55-256-like", "--epochs", "level")
    table = out.partition("Epochs on ethos-u55-256-like")[2]
    assert status == 0
    for level in ("compute", "dram", "global_buffer.sram", "global_buffer.internal"):
        assert sum(line.split()[3:4] == [level] for line in table.splitlines()) == 6, level


@pytest.mark.parametrize("verb", [["score", "a"], ["compare", "a", "b"]])
def test_formats_priced_as_others(call, verb):
    status, out, _ = call(*verb, "--as", "fp32=int8", "--on", "eyeriss-45nm-int8", "--json")
    assert status == 0
    assert json.loads(out)["results"][0]["notes"][0] == "Formats priced as others: fp32 as int8."
    for wrong in ("fp32", "fp32=", "=int8", "fp32=int8=int4"):
        assert call(*verb, "--as", wrong) == (1, "", f"error: --as: must be OLD=NEW, separated by commas, not '{wrong}'\n")


def test_budget_carbon_and_price(call):
    status, out, _ = call("score", "a", "--budget", "1J", "--carbon-intensity", "400", "--price", "0.3")
    lines = out.splitlines()[-3:]
    assert status == 0
    assert lines[0].startswith("eyeriss-45nm: 1.000 J pay for ")
    assert lines[1].startswith("eyeriss-45nm: ")
    assert lines[1].endswith(" g of CO2, 400 g/kWh")
    assert lines[2].endswith(", 0.3 a kWh")
    assert call("score", "a", "--budget", "much") == (1, "", "error: must be an energy such as 5kJ or 0.2kWh, not 'much'\n")


@pytest.mark.parametrize(("what", "name"), [("operators", "t.csv"), ("epochs", "t.json"), ("step", "trace.json")])
def test_exports(call, tmp_path, what, name):
    call("score", "a", "-o", "a.json")
    assert call("export", "a.json", "--what", what, "-o", name) == (0, f"Done: {what} in {name}\n", "")
    assert (tmp_path / name).stat().st_size > 100


def test_a_trace_is_json(call):
    call("score", "a", "-o", "a.json")
    assert call("export", "a.json", "--what", "step", "-o", "t.csv") == (1, "", "error: t.csv: name of a trace must end in .json\n")
