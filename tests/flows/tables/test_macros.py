"""The macros' table is what their Liberty files say."""

import os
from pathlib import Path

import pytest

from flows.tables.macros import macro
from hwsim import InputError
from hwsim.technology.macros import macros

LIBERTY = """\
library(one) { time_unit : "1ns"; voltage_unit : "1V"; leakage_power_unit : "1nW"; capacitive_load_unit (1,pf);
 cell(RM_IHPSG13_1P_64x8_c2) { area : 2000; cell_leakage_power : 5;
  pin(A_CLK) {
   internal_power() { when : "A_MEN & !A_WEN & A_REN"; rise_power(scalar) { values (3.5); } }
   internal_power() { when : "A_MEN & A_WEN & !A_REN"; rise_power(scalar) { values (4.5); } } }
  bus(A_DOUT) { timing() { cell_rise(t) { values ("1.5, 2.5"); } cell_fall(t) { values ("2.25"); } } } } }
"""


@pytest.mark.skipif("HWSIM_DATA" not in os.environ, reason="HWSIM_DATA names no folder with sram/RM_IHPSG13_1P_*")
def test_the_committed_table_is_what_the_foundry_says():
    paths = sorted((Path(os.environ["HWSIM_DATA"]) / "sram").glob("RM_IHPSG13_1P_*.lib.gz"))
    assert dict(map(macro, paths)) == macros()
    assert len(macros()) == 10


def test_figures_are_taken_from_where_they_stand(tmp_path):
    path = tmp_path / "one.lib"
    path.write_text(LIBERTY)
    name, found = macro(path)
    assert name == "RM_IHPSG13_1P_64x8_c2"
    assert found.model_dump() == {
        "words": 64, "bits": 8, "read_pj": 3.5, "write_pj": 4.5, "access_ns": 2.5, "leakage_mw": 5e-6, "area_mm2": 0.002
    }  # fmt: skip


def test_other_units_are_refused(tmp_path):
    path = tmp_path / "one.lib"
    path.write_text(LIBERTY.replace("1nW", "1pW"))
    with pytest.raises(InputError, match=r"one.lib: units must be 1ns, 1V, 1nW and pf, not"):
        macro(path)
