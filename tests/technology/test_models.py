"""Coefficients that models give: external memories, wires, whole processing elements."""

import re

import pytest

from hwsim import HwsimError
from hwsim.architecture.dram import STANDARDS
from hwsim.technology import load_technology
from hwsim.technology.dram import drams
from hwsim.technology.wire import switches


def test_external_memories_are_complete_and_priced_for_every_standard_but_one():
    assert {name.lower() for name in STANDARDS} - drams().keys() == {"sdr"}
    for family, one in drams().items():
        assert one.unit == "pJ/1bit", family
        assert one.confidence, family
        assert one.conditions, family
        assert 0.2 <= one.uncertainty <= 1, family
        low, high = one.value * (1 - one.uncertainty), one.value * (1 + one.uncertainty)
        assert 1 < low < high < 100, family


def test_external_memories_are_in_the_order_that_every_source_agrees_on():
    cost = {family: one.value for family, one in drams().items()}
    assert cost["ddr3"] > cost["ddr4"] > cost["gddr5"] > cost["lpddr4"] > cost["hbm2"] >= cost["hbm3"]
    assert cost["gddr5"] > cost["gddr6"] > cost["hbm2e"]


@pytest.mark.parametrize(
    ("voltage_v", "fj_per_bit_mm", "tolerance"),
    [(0.9, 121, 0.001), (0.75, 78.1, 0.1), (0.65, 58.6, 0.1), (0.8, 100, 0.1)],
)
def test_wires_agree_with_publications_that_did_not_go_in(voltage_v, fj_per_bit_mm, tolerance):
    """Keckler et al. at 40 nm (in it) and at 10 nm; Dally et al. (CACM 2020) at 14 nm, taken at its usual 0.8 V."""
    table = load_technology("nangate45").model_copy(update={"voltage_v": voltage_v})
    assert table.coefficient("wire.1mm").energy_pj(1000) == pytest.approx(fj_per_bit_mm, rel=tolerance)
    assert table.coefficient("wire.2.5mm").value == pytest.approx(2.5 * table.coefficient("wire.1mm").value)


@pytest.mark.parametrize("library", ["osu018", "sky130hd", "ihp-sg13g2", "nangate45", "asap7"])
def test_a_hop_is_a_switch_and_a_wire(library):
    table = load_technology(library)
    near, far, wire = (table.coefficient(key).energy_pj(32) for key in ("hop.0.0mm", "hop.2mm", "wire.2mm"))
    assert near == pytest.approx(switches()[library].flit_pj)
    assert far - near == pytest.approx(wire)
    assert switches()[library].idle_pj < 5 * near  # five inputs that only hold


@pytest.mark.parametrize("library", ["osu018", "sky130hd", "ihp-sg13g2", "nangate45", "asap7"])
def test_whole_elements_are_their_circuits(library):
    table = load_technology(library)
    for key, circuit in (("pe.mac.int8", "int8_mac"), ("pe.shift.int8*pow2_4", "shift8"), ("pe.add.int8", "adder8")):
        one = table.coefficient(key)
        assert one.value == table.circuits[circuit].energy[-1].total_pj
        assert f"operands of three networks: circuit {circuit}" in one.recipe
        assert one.uncertainty >= table.circuits[circuit].spread


@pytest.mark.parametrize("library", ["osu018", "sky130hd", "ihp-sg13g2", "nangate45", "asap7"])
def test_registers_of_arrays(library):
    """A flip-flop's clock costs about the same in a line, in a buffer and in a file of registers."""
    table = load_technology(library)
    line, queue = (table.coefficient(f"{part}.clocked").energy_pj() for part in ("line", "queue"))
    assert 0.9 < line / queue < 1.1
    assert 0.85 < line / (table.coefficient("registers.16x32.hold").energy_pj() / 512) < 1.15
    assert table.coefficient("line.stored").energy_pj(3) == pytest.approx(3 * table.coefficient("line.stored").value)
    assert max(table.coefficient(f"{part}.stored").uncertainty for part in ("line", "queue")) <= 0.11


def test_elements_by_the_zeros_among_their_operands():
    table = load_technology("osu018")
    some, few = (table.coefficient(key) for key in ("pe.mac.int8@40x90", "pe.mac.int8@0x90"))
    rates = {rate.name: rate.energy_pj for rate in table.circuits["int8_mac"].zeros.rates}
    by_hand = rates["operations"] + 0.9 * rates["non-zero w"] + 0.4 * 0.9 * rates["non-zero products"]
    assert some.value == pytest.approx(by_hand + 0.4 * rates.get("non-zero x", 0))
    assert few.value < some.value < table.coefficient("pe.mac.int8").value
    assert (some.kind, few.kind) == ("fit", "fit")
    assert table.coefficient("pe.shift_add.int8").value == table.circuits["shiftadd8"].energy[-1].total_pj
    other = table.model_copy(update={"circuits": {"int8_mac": table.circuits["int8_mac"].model_copy(update={"zeros": None})}})
    with pytest.raises(HwsimError, match=r"^nothing is known of what zeros save in int_mac$"):
        other.coefficient("pe.mac.int8@50x50")


@pytest.mark.parametrize(
    ("table", "key", "message"),
    [
        ("nangate45", "pe.mac.int8@half", "densities must be per cent of x and of w that are not zero, such as pe.mac.int8@50x100, not 'pe.mac.int8@half'"),
        ("nangate45", "line.read", "must be line. and one of clocked, stored, offered, enabled, not 'line.read'"),
        ("horowitz-45nm", "queue.stored", "registers of arrays are known in osu018, nangate45, sky130hd, ihp-sg13g2, asap7, not 'horowitz-45nm'"),
        ("nangate45", "wire.long", "wire must have a length in mm, such as wire.1.5mm, not 'wire.long'"),
        ("shiftaddnet-45nm", "hop.1mm", "switches are known in osu018, nangate45, sky130hd, ihp-sg13g2, asap7, not 'shiftaddnet-45nm'"),
        ("nangate45", "dram.ddr9", "no published energy of ddr9 is known, only of ddr3, ddr4"),
        ("nangate45", "pe.mac.int9", "technology nangate45 has no coefficient pe.mac.int9; it has pe.mac.int8, pe.mac.int4"),
        ("shiftaddnet-45nm", "pe.mac.int8", "technology shiftaddnet-45nm has no coefficient pe.mac.int8; it has mult.fp32"),
    ],
)  # fmt: skip
def test_unknown_keys_say_what_there_is(table, key, message):
    with pytest.raises(HwsimError, match=f"^{re.escape(message)}"):
        load_technology(table).coefficient(key)
