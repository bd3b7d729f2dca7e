"""``hwsim tensors``: what a recorded run's tensors look like, as a table and as JSON."""

import json

import pytest
import torch
from torch import nn

import hwsim
from hwsim.cli.main import main
from hwsim.training import TrainingRun


@pytest.fixture
def recorded(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def run(name, steps=5, **settings):
        with hwsim.record(tmp_path / name, model, optimizer, **settings):
            for _ in range(steps):
                model(torch.randn(8, 4)).sum().backward()
                optimizer.step()
                optimizer.zero_grad()
        return tmp_path / name

    return run


def call(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main(["tensors", *map(str, arguments)])
    shown = capsys.readouterr()
    return stopped.value.code or 0, shown.out, shown.err


def test_json_holds_what_was_measured(capsys, recorded):
    directory = recorded("run", sample_every=2, sample_format="int4")
    status, out, _ = call(capsys, directory, "--json")
    (step,) = json.loads(out)["steps"]
    assert (status, step["step"], step["executions"], step["sampled"], step["format"]) == (0, "Sequential/0", 5, 2, "int4")
    run = TrainingRun.load(directory)
    (workload, _), (statistics,) = run.executions[0], run.statistics
    hidden = next(row for row in step["operands"] if (row["operator"], row["operand"]) == ("2.addmm", "input"))
    known = statistics.of(next(o for o in workload.operators if o.name == "2.addmm").operand("input"))
    assert (hidden["density"], hidden["toggle_rate"], hidden["words"]) == (known.density, known.toggle_rate, 2 * 48)
    assert 0 < hidden["density"] < 1
    assert len(hidden["bit_toggle_rates"]) == 4
    assert {row["operand"] for row in step["operands"]} == {"input", "weight", "output", "bias"}
    more = json.loads(call(capsys, directory, "--all", "--json")[1])["steps"][0]["operands"]
    assert "optimizer" in {row["phase"] for row in more} - {row["phase"] for row in step["operands"]}


def test_table(capsys, recorded):
    status, out, _ = call(capsys, recorded("run"))
    lines = out.splitlines()
    assert status == 0
    assert lines[0] == "Sequential/0: 1 step of 5 sampled"
    assert "toggles % (int8)" in lines[2]
    assert [line.split()[:3] for line in lines if "0.addmm" in line] == [["0.addmm", "input", "100"]]


@pytest.mark.parametrize("settings", [{"steps": 2}, {"sample_every": 0}])
def test_nothing_was_sampled(capsys, recorded, settings):
    directory = recorded("run", **settings)
    assert call(capsys, directory) == (1, "", f"error: {directory}: holds no statistics of tensors: no step was sampled\n")
