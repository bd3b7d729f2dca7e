"""Sections, pages and the verb, on a reproduction made by hand."""

from __future__ import annotations

import json

import pytest

from flows.reproduce import Chart, Figure, Reproduction, Section, reproduce, systems
from hwsim.cli.main import main
from hwsim.errors import InputError

MADE = Reproduction(
    name="made", title="By hand", source="Nobody.",
    sections=(
        Section(
            title="Figures", text="Two.",
            figures=(
                Figure(name="a", unit="MJ", printed=10, ours=11),
                Figure(name="b", unit="MJ", printed=4, ours=3.98, role="predicted", digits=2),
            ),
        ),
        Section(
            title="Table", text="One.", head=("x", "y"), rows=(("p", 1.23456), ("q", None)),
            charts=(Chart(name="made-bars", title="Bars", unit="J", groups=("p",), series={"y": (1.0,)}),),
        ),
    ),
)  # fmt: skip


def test_page():
    pages = MADE.pages()
    assert set(pages) == {"reproduce-made.md", "made-bars.svg"}
    assert pages["made-bars.svg"].startswith("<svg")
    lines = pages["reproduce-made.md"].splitlines()
    assert "| a | MJ | 10 | 11 | +10.0 % | given |" in lines
    assert "| b | MJ | 4 | 4 | -0.5 % | predicted |" in lines
    assert "| q | - |" in lines
    assert "![Bars](made-bars.svg)" in lines


def test_data_holds_differences():
    figures = json.loads(json.dumps(MADE.data()))["sections"][0]["figures"]
    assert [round(figure["difference_percent"], 6) for figure in figures] == [10, -0.5]


def test_unknown_system():
    with pytest.raises(InputError) as error:
        reproduce("x")
    assert str(error.value) == f"name: must be one of {', '.join(systems())}, not 'x'"


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr("flows.reproduce.registry.reproduce", lambda name, progress: MADE)


def test_verb(registered, tmp_path, capsys):
    with pytest.raises(SystemExit) as done:
        main(["reproduce", "made", "-o", str(tmp_path / "made.json"), "--docs", str(tmp_path / "docs"), "--json"])
    assert done.value.code == 0
    assert json.loads((tmp_path / "made.json").read_text()) == json.loads(capsys.readouterr().out) == MADE.data()
    assert (tmp_path / "docs" / "reproduce-made.md").read_text() == MADE.pages()["reproduce-made.md"]


def test_verb_prints_tables(registered, capsys):
    with pytest.raises(SystemExit):
        main(["reproduce", "made"])
    assert "+10.0 %" in capsys.readouterr().out


def test_output_must_be_json(registered, capsys):
    with pytest.raises(SystemExit) as done:
        main(["reproduce", "made", "-o", "made.txt"])
    assert done.value.code == 1
    assert capsys.readouterr().err == "error: output: file name must end in .json, not 'made.txt'\n"
