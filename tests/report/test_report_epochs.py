"""The table of epochs holds every joule and second of the run, whatever its rows are."""

import pytest

from hwsim.errors import InputError
from hwsim.report.epochs import epoch_table
from hwsim.report.table import print_table
from tests.report.conftest import training
from tests.report.test_report_time import UNITS, run

PARTS = ("phase", "component", "level", "module")


@pytest.fixture(scope="module")
def result():
    return run(training(), 3, lambda epoch: "late" if epoch else "")


def column(table, name):
    """Numbers of a column in base units."""
    place = next(place for place, head in enumerate(table.head) if head.startswith(name))
    size = {**UNITS, "s": 1.0, "ms": 1e-3}[table.head[place].partition("(")[2].rstrip(")")]
    return [float(row[place].replace(",", "")) * size for row in table.rows]


def test_totals(result):
    table = epoch_table(result)
    assert [row[:3] for row in table.rows] == [("epoch 0", "10", "20"), ("epoch 1, late", "10", "20"), ("epoch 2, late", "10", "20")]
    assert column(table, "Energy") == pytest.approx([point.energy_j for point in result.timeline.points], rel=1e-3)
    assert column(table, "Latency") == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("by", PARTS)
def test_parts(result, by):
    table = epoch_table(result, by)
    names = dict.fromkeys(key for (key,) in result.energy_j_by(by))
    assert [row[:2] for row in table.rows] == [
        (epoch, name) for epoch in ("epoch 0", "epoch 1, late", "epoch 2, late") for name in names
    ]  # fmt: skip
    assert sum(column(table, "Energy")) == pytest.approx(result.energy_j, rel=1e-3)
    assert ("Latency" in table.head[-1]) == (by in {"phase", "module"})
    if by in {"phase", "module"}:
        assert sum(column(table, "Latency")) == pytest.approx(3 * sum(result.latency_s_by(by).values()), rel=1e-3)


def test_lines_are_never_broken(result, capsys):
    table = epoch_table(result)
    print_table(table, "Epochs")
    printed = capsys.readouterr().out
    assert all(head in printed for head in table.head)
    assert all(cell in printed for row in table.rows for cell in row)


def test_only_of_training_runs():
    with pytest.raises(InputError, match=r"^result: must be of a training run to have epochs, not 'digits-cnn"):
        epoch_table(training())
