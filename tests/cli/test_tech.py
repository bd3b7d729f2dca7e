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


def test_show_scales_to_a_node_and_says_how_far_to_trust_it():
    text = run("show", "nangate45", "--node", "7", "--voltage", "0.7")
    assert "energy x 0.0458 (+- 100%), delay x 0.237, area x 0.0588" in text
    scaled = json.loads(run("show", "nangate45", "--node", "7", "--voltage", "0.7", "--low-power", "--json"))
    table = load_technology("nangate45")
    factor = scaled["coefficients"]["mult.int8"]["value"] / table.coefficient("mult.int8").value
    assert factor == pytest.approx((0.09365 * 0.49 - 0.03409 * 0.7 + 0.02043) / (1.103 * 1.21 - 0.362 * 1.1 + 0.2767))
    assert scaled["circuits"] == {}
    of_networks = table.circuits["int8_mac"].energy[-1].total_pj
    assert scaled["coefficients"]["pe.mac.int8"]["value"] == pytest.approx(factor * of_networks)


def test_show_prints_what_an_fpga_is_asked_for():
    table = load_technology("fpga-ecp5")
    text = run("show", "fpga-ecp5")
    for name in (*table.fpga.resources, table.fpga.part, "nothing is published"):
        assert name in text
    assert "published, in shiftaddnet-zc706" in run("show", "fpga-xc7")
    both = json.loads(run("diff", "fpga-ecp5", "fpga-ice40", "--json"))["both"]
    first, second = (load_technology(name).fpga.resources["shift8"].lut for name in ("fpga-ecp5", "fpga-ice40"))
    assert both["shift8 [LUT]"] == {"first": first, "second": second, "ratio": second / first}


@pytest.mark.parametrize("key", ["mult.int8", "dram.hbm2", "sram.65536x64.write", "wire.2mm", "registers.16x8", "pe.mac.int8"])
def test_one_coefficient_with_everything_needed_to_judge_it(key):
    one = load_technology("nangate45").coefficient(key)
    assert json.loads(run("coefficient", "nangate45", key, "--json")) == one.model_dump(mode="json")
    text = run("coefficient", "nangate45", key)
    for part in (f"{one.value:.4g} {one.unit}", f"{one.uncertainty:.0%}", one.uncertainty_basis, one.recipe, one.source):
        assert part in text


def test_tables_join():
    text = run("show", "nangate45+horowitz-45nm")
    assert "what it lacks from horowitz-45nm" in text
    joined = load_technology("nangate45+horowitz-45nm")
    assert joined.coefficient("mult.int8") == load_technology("nangate45").coefficient("mult.int8")
    lent = joined.coefficient("add.fp32")
    assert lent.value == pytest.approx(0.9 * (1.1 / 0.9) ** 2, rel=0.01)
    assert "from 45 nm, 0.9 V to 45 nm, 1.1 V" in lent.recipe
