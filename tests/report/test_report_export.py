"""Tables and traces of results, read back by what others read them with."""

import csv
import json
import math
from itertools import pairwise

import pytest

from hwsim.errors import InputError, MissingPackageError
from hwsim.report import comparison
from hwsim.report.export import export
from hwsim.report.step_trace import write_step_trace
from tests.report.conftest import training
from tests.report.test_report_budget import timeline


@pytest.fixture
def runs():
    lines = timeline([3.0, 1.0], metrics={"accuracy": ((10, 0.5), (20, 0.8)), "loss": ((20, 1.0),)})
    return [training(on, timeline=lines) for on in ("eyeriss-45nm", "eyeriss-45nm-int8")]


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_operators(runs, tmp_path, suffix):
    path = export(runs, "operators", tmp_path / f"t.{suffix}")
    rows = json.loads(path.read_text()) if suffix == "json" else list(csv.DictReader(path.read_text().splitlines()))
    assert len(rows) == sum(len(result.operators) for result in runs)
    for result in runs:
        own = [row for row in rows if row["result"] == result.architecture.name]
        assert math.fsum(float(row["energy_j"]) for row in own) == pytest.approx(result.energy_j)
        assert math.fsum(float(row["dram_bytes"]) for row in own) == pytest.approx(result.dram_bytes)
        for (component,), energy in result.energy_j_by("component").items():
            assert math.fsum(float(row[f"energy_j.{component}"]) for row in own) == pytest.approx(energy)


def test_epochs(runs, tmp_path):
    rows = list(csv.DictReader(export(runs, "epochs", tmp_path / "t.csv").read_text().splitlines()))
    assert [(row["result"], row["epoch"], row["energy_j"], row["energy_j.module.a"]) for row in rows] == [
        ("eyeriss-45nm", "0", "3.0", "1.5"), ("eyeriss-45nm", "1", "1.0", "0.5"),
        ("eyeriss-45nm-int8", "0", "3.0", "1.5"), ("eyeriss-45nm-int8", "1", "1.0", "0.5"),
    ]  # fmt: skip


def test_what_cannot_be_written(runs, tmp_path):
    with pytest.raises(InputError, match=r"t\.xls: name of a table must end in \.csv, \.json or \.parquet$"):
        export(runs, "operators", tmp_path / "t.xls")
    with pytest.raises(InputError, match=r"^result: must be of a training run to have epochs, not 'digits-cnn"):
        export([training()], "epochs", tmp_path / "t.csv")


def test_parquet(runs, tmp_path):
    try:
        import pyarrow.parquet
    except ModuleNotFoundError:
        with pytest.raises(MissingPackageError, match=r"writing Parquet needs pyarrow.*hwsim\[parquet\]"):
            export(runs, "operators", tmp_path / "t.parquet")
        return
    table = pyarrow.parquet.read_table(export(runs, "operators", tmp_path / "t.parquet"))
    assert sum(table.column("energy_j").to_pylist()) == pytest.approx(sum(result.energy_j for result in runs))


def test_a_step_on_a_time_axis(runs, tmp_path):
    events = json.loads(write_step_trace(runs, tmp_path / "t.json").read_text())["traceEvents"]
    for process, result in enumerate(runs, start=1):
        own = [event for event in events if event["pid"] == process and event["ph"] == "X"]
        for row in (1, 2):
            bars = [event for event in own if event["tid"] == row]
            assert math.fsum(bar["dur"] for bar in bars) == pytest.approx(result.latency_s / result.steps * 1e6)
            for before, after in pairwise(bars):
                assert after["ts"] == pytest.approx(before["ts"] + before["dur"])
        assert math.fsum(bar["args"]["energy_j"] for bar in own if bar["tid"] == 2) == pytest.approx(result.energy_j / result.steps)
    assert {event["args"]["name"] for event in events if event["name"] == "process_name"} == {"eyeriss-45nm", "eyeriss-45nm-int8"}


def test_rows_of_training_runs_in_the_comparison(runs):
    sections = {section.title: section.rows for section in comparison.comparison([*runs, training()])}
    rows = {row.label: row.cells for row in sections["Training"]}
    assert rows["Epochs"] == ("2", "2", "-")
    assert rows["Best accuracy"] == ("0.8000", "0.8000", "-")
    assert rows["Energy per unit of it"] == ("5.000 J", "5.000 J", "-")  # 4 J for 0.8
    assert rows["Peak memory of a step"] == ("4.096 kB", "4.096 kB", "-")
    assert "Training" not in {section.title for section in comparison.comparison([training()])}
