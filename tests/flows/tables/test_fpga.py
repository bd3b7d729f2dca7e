"""FPGA tables: the accepted figures of verification, and what synthesis and placement give again."""

import pytest

from flows.tables.fpga import MEMORIES, accepted, memory, xilinx
from flows.verify import baseline
from flows.verify.fpga import Registered
from hwsim.technology import load_technology
from rtl.pe import CATALOG


@pytest.mark.parametrize(("table", "part"), [("fpga-ecp5", "ecp5-25k"), ("fpga-ice40", "ice40-hx8k")])
def test_elements_are_what_verification_accepted(table, part):
    """If figures were accepted anew: python -m flows.tables.fpga hwsim/technology/tables."""
    held = {name: one for name, one in load_technology(table).fpga.resources.items() if one.kind == "pe"}
    assert held == accepted(part)
    raw = baseline.accepted(baseline.FILE)["int8_mac"][part]
    assert (held["int8_mac"].lut, held["int8_mac"].fmax_mhz) == (raw["lut"], raw["fmax_mhz"])


def test_tables_hold_the_same_memories_and_the_clock_only_where_placed():
    for table, placed in (("fpga-ecp5", True), ("fpga-ice40", True), ("fpga-xc7", False)):
        resources = load_technology(table).fpga.resources
        assert {name for name, one in resources.items() if one.kind == "memory"} == set(MEMORIES)
        assert all((one.fmax_mhz is not None) == placed for one in resources.values())
    assert load_technology("fpga-xc7").fpga.resources["scratchpad_1024x32"].bram == 2  # 32 Kibit in halves of 18


def test_multiplier_free_elements_take_no_dsp_and_multipliers_do():
    resources = load_technology("fpga-xc7").fpga.resources
    for name in ("shift8", "adder8", "matadd8", "serial8"):
        assert resources[name].dsp == 0, name
    for name in ("int8_mac", "int8_mac_piped", "int16_mac"):
        assert resources[name].dsp >= 1, name


def test_synthesis_for_xilinx_gives_the_committed_row(tmp_path):
    held = load_technology("fpga-xc7").fpga.resources["adder2_sat"]
    assert xilinx(Registered(CATALOG["adder2_sat"]), "pe", tmp_path) == held


def test_placement_of_a_memory_gives_the_committed_row(tmp_path):
    held = load_technology("fpga-ice40").fpga.resources["scratchpad_512x8"]
    assert memory(MEMORIES["scratchpad_512x8"], "ice40-hx8k", tmp_path) == held
