"""Every committed coefficient is complete; wrong tables are refused with file, field, rule and value."""

import re

import pytest

from hwsim import HwsimError, InputError
from hwsim.files import read_model
from hwsim.technology import Technology, load_technology, technologies

TABLE_1 = {  # ShiftAddNet (NeurIPS 2020), Table 1: operation -> ASIC 45 nm pJ, FPGA ZC706 pJ
    "mult.fp32": (3.7, 18.8), "mult.int32": (3.1, 19.6), "mult.int8": (0.2, 0.2), "add.fp32": (0.9, 0.4),
    "add.int32": (0.1, 0.1), "add.int8": (0.03, 0.1), "shift.int32": (0.13, 0.1), "shift.int8": (0.024, 0.025),
}  # fmt: skip

ONE = """\
schema: hwsim/technology/1
name: mine
title: mine
node_nm: 45
voltage_v: 0.9
coefficients:
  dram: {value: 200, unit: pJ/16bit, format: any, uncertainty: 0.3, uncertainty_basis: b, kind: paper, recipe: r, source: s}
"""


@pytest.mark.parametrize("name", technologies())
def test_every_coefficient_is_complete(name):
    table = load_technology(name)
    assert table.name == name
    for key, coefficient in table.coefficients.items():
        assert coefficient.value > 0, key
        assert coefficient.uncertainty > 0, key
        assert coefficient.uncertainty_basis, key
        assert coefficient.recipe, key
        operation, _, format_ = key.partition(".")
        assert coefficient.format == (format_ or "any"), key
        operations = {"mult", "add", "shift", "absdiff", "mac", "fusion_unit", "clock", "shift_add", "lut_read"}
        assert coefficient.is_access == (operation not in operations), key


@pytest.mark.parametrize("key", TABLE_1)
def test_published_unit_energies(key):
    asic, fpga = TABLE_1[key]
    assert load_technology("shiftaddnet-45nm").coefficient(key).energy_pj() == asic
    assert load_technology("shiftaddnet-zc706").coefficient(key).energy_pj() == fpga


@pytest.mark.parametrize(
    ("table", "key", "bits", "energy_pj"),
    [
        ("horowitz-45nm", "add.int16", 0, 0.05), ("horowitz-45nm", "mult.fp16", 0, 1.1), ("horowitz-45nm", "add.fp32", 0, 0.9),
        ("horowitz-45nm", "sram_8kib", 32, 5), ("horowitz-45nm", "cache_32kib", 64, 20), ("horowitz-45nm", "dram", 64, 1950),
        ("shiftaddllm-45nm", "shift_add.fp16", 0, 0.15), ("shiftaddllm-45nm", "lut_read", 0, 0.37),
        ("shiftaddllm-45nm", "add.fp16", 0, 0.4), ("shiftaddllm-45nm", "shift.fp32", 0, 0.1),
    ],
)  # fmt: skip
def test_other_published_tables(table, key, bits, energy_pj):
    assert load_technology(table).coefficient(key).energy_pj(bits) == energy_pj


def test_units_convert(tmp_path):
    path = tmp_path / "t.yaml"
    path.write_text(ONE)
    assert read_model(path, Technology).coefficient("dram").energy_pj(32) == 400
    path.write_text(ONE.replace("200, unit: pJ/16bit", "12.5, unit: nJ/1bit"))
    assert read_model(path, Technology).coefficient("dram").energy_pj(32) == pytest.approx(400e3)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("pJ/16bit", "mWh", "coefficients.dram.unit: string must match pattern '^((fJ|pJ|nJ)/(op|cycle|[1-9][0-9]*bit)|uW|mW|W)$', not 'mWh'"),
        ("pJ/16bit", "pJ", "coefficients.dram.unit: string must match pattern '^((fJ|pJ|nJ)/(op|cycle|[1-9][0-9]*bit)|uW|mW|W)$', not 'pJ'"),
        ("value: 200", "value: -1", "coefficients.dram.value: must be greater than or equal to 0, not -1"),
        (", source: s", "", "coefficients.dram.source: field is required"),
        ("node_nm: 45", "node_nm: 0", "node_nm: must be greater than 0, not 0"),
    ],
)  # fmt: skip
def test_wrong_units_and_fields_are_named(tmp_path, old, new, message):
    path = tmp_path / "t.yaml"
    path.write_text(ONE.replace(old, new))
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {message}')}$"):
        read_model(path, Technology)


def test_unknown_names_list_what_there_is():
    known = ", ".join(technologies())
    with pytest.raises(InputError, match=f"^technology must be one of {known}, not 'x'$"):
        load_technology("x")
    with pytest.raises(HwsimError, match=r"^technology shiftaddnet-zc706 has no coefficient dram; it has mult"):
        load_technology("shiftaddnet-zc706").coefficient("dram")
