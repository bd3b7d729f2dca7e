"""`hwsim tech`: every number of a table, and the ratios of two."""

import json

import pytest
from typer.testing import CliRunner

from hwsim.cli.tech import tech
from hwsim.technology import load_technology, technologies


def run(*arguments):
    done = CliRunner().invoke(tech, list(arguments), catch_exceptions=False, env={"COLUMNS": "200"})
    assert done.exit_code == 0
    return done.stdout


def test_list_names_every_table():
    assert [row["name"] for row in json.loads(run("list", "--json"))] == technologies()
    text = run("list")
    for name in technologies():
        assert name in text


def test_show_prints_coefficients_circuits_and_provenance():
    table = load_technology("osu018")
    assert json.loads(run("show", "osu018", "--json")) == table.model_dump(by_alias=True, mode="json")
    text = run("show", "osu018")
    for name in (*table.coefficients, *table.circuits, table.provenance.library, table.provenance.recipe_sha256[:12]):
        assert name in text
    assert "Eyeriss" in run("show", "shiftaddnet-45nm")


def test_diff_divides_what_both_have_and_lists_the_rest():
    first, second = (load_technology(name) for name in ("nangate45", "shiftaddnet-45nm"))
    found = json.loads(run("diff", "nangate45", "shiftaddnet-45nm", "--json"))
    assert found["both"]["mult.int8 [pJ/op]"]["ratio"] == pytest.approx(
        second.coefficient("mult.int8").energy_pj() / first.coefficient("mult.int8").energy_pj()
    )
    assert "int8_mac [um2]" in found["only_first"]
    assert "dram [pJ/bit]" in found["only_second"]
    assert "only in shiftaddnet-45nm: add.fp16 [pJ/op]" in run("diff", "nangate45", "shiftaddnet-45nm")
    same = json.loads(run("diff", "asap7", "asap7", "--json"))
    assert {one["ratio"] for one in same["both"].values()} == {1.0}
    assert same["only_first"] == same["only_second"] == []
