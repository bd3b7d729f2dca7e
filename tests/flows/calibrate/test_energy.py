"""Energy: added up by hand on two gates; on real PEs, gates equal the twin and toggles a recount."""

import numpy as np
import pytest

from flows.calibrate import drive, streams, synthesis
from flows.calibrate.library import Library
from flows.calibrate.netlist import Netlist
from flows.calibrate.power import Prices
from flows.calibrate.simulation import simulate
from flows.calibrate.timing import analyse
from flows.verify import tools
from hwsim import HwsimError
from rtl.pe.adder import AdderPE
from rtl.pe.integer import IntegerMac
from rtl.pe.serial import BitSerialMac
from rtl.pe.shift import ShiftPE

PES = {
    "adder": AdderPE(bits=3, accumulator=6),
    "mac_last": IntegerMac(x_bits=3, w_bits=3, accumulator=8, restart="last", stages=2),
    "serial": BitSerialMac(x_bits=3, w_bits=3, accumulator=8),
    "shift": ShiftPE(x_bits=3, w_bits=3, accumulator=8, overflow="saturate"),
}


def test_a_toggling_flip_flop_costs_what_its_tables_add_up_to(small, toggler):
    library = Library([small()])
    netlist = Netlist.of(toggler, library)
    timing = analyse(netlist)
    waves = simulate(netlist, {"rst": np.zeros((2, 6), int)})
    power = Prices(netlist, timing, library.voltage_v).evaluate(waves)
    # in 5 cycles Q rises 3 times (20 fJ) and falls twice (30), Y the other way round (7, -2); each charges 4 + 3 fF
    assert power.internal_pj == pytest.approx([(3 * 20 + 2 * 30 + 2 * 7 - 3 * 2) * 1e-3] * 2)
    assert power.switching_pj == pytest.approx([5 * 14e-3] * 2)
    # the clock rises 3 times at Q = 0 (100) and twice at 1 (10), and falls twice at 0 (0) and 3 times at 1 (1)
    assert power.clock_cell_pj == pytest.approx([(3 * 100 + 2 * 10 + 3 * 1) * 1e-3] * 2)
    assert power.clock_pin_pj == pytest.approx([5 * 8e-3] * 2)
    assert power.input_pj == pytest.approx([0, 0])
    assert timing.delay_ns == pytest.approx(3 + 2 + 0.5)
    assert (netlist.area_um2, netlist.leakage_nw, netlist.registers) == pytest.approx((6.5, 13, 1))


NAND = """cell (NAND) {
    area : 2; cell_leakage_power : 1;
    pg_pin (VDD) { pg_type : primary_power; } pg_pin (VDD2) { pg_type : backup_power; } pg_pin (VSS) { pg_type : primary_ground; }
    pin (A) { direction : input; capacitance : 1; } pin (B) { direction : input; capacitance : 1; }
    pin (Y) { direction : output; function : "!(A B)";
      timing () { related_pin : "A B"; timing_sense : negative_unate;
        cell_rise (scalar) { values ("1"); } cell_fall (scalar) { values ("1"); }
        rise_transition (scalar) { values ("0"); } fall_transition (scalar) { values ("0"); } }
      internal_power () { related_pin : "A"; when : "B"; related_pg_pin : VDD;
        rise_power (scalar) { values ("5"); } fall_power (scalar) { values ("6"); } }
      internal_power () { related_pin : "A"; when : "!B"; related_pg_pin : VDD;
        rise_power (scalar) { values ("50"); } fall_power (scalar) { values ("60"); } }
      internal_power () { related_pin : "B"; when : "A"; related_pg_pin : VDD;
        rise_power (scalar) { values ("7"); } fall_power (scalar) { values ("9"); } }
      internal_power () { related_pin : "A"; related_pg_pin : VSS; rise_power (scalar) { values ("300"); } }
      internal_power () { related_pin : "A"; related_pg_pin : VDD2; rise_power (scalar) { values ("1"); } } }
  }
  cell (INV)"""


def test_an_output_edge_costs_the_mean_of_the_tables_that_fit_it(small):
    library = Library([small("cell (INV)", NAND)])
    ports = {"a": {"direction": "input", "bits": [2]}, "b": {"direction": "input", "bits": [3]},
             "y": {"direction": "output", "bits": [4]}}  # fmt: skip
    gate = {"type": "NAND", "connections": {"A": [2], "B": [3], "Y": [4]}}
    netlist = Netlist.of({"ports": ports, "cells": {"g": gate}}, library)
    waves = simulate(netlist, {"a": np.array([[1, 0, 1, 1, 0, 1, 0]]), "b": np.array([[1, 1, 1, 0, 0, 1, 0]])})
    power = Prices(netlist, analyse(netlist), library.voltage_v).evaluate(waves)
    # fJ: 5 by A, 6 by A, 7 by B, 0 without an edge, (6 + 9) / 2 by both, 50 by A as B is 0; 1 more at each of 3 rises;
    # ground delivers nothing
    assert power.internal_pj == pytest.approx([(5 + 6 + 7 + 0 + 7.5 + 50 + 3) * 1e-3])
    assert power.input_pj == pytest.approx([(5 + 3) * 0.5 * 4 * 1e-3])  # A moves 5 times, B 3 times: 1 fF at 2 V


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda cells: cells["g1"]["connections"].update(A=[9]), r"^net 9 has 0 drivers"),
        (lambda cells: cells["g1"]["connections"].update(A=["x"]), r"^gate g1: input INV\.A is connected to nothing$"),
        (lambda cells: cells["g1"]["connections"].update(A=[5], Y=[4]), r"^net 3 has 0 drivers|^net 4 has 2 drivers"),
        (lambda cells: cells["g1"]["connections"].update(A=[3]), r"^gates g1, g1 form a combinational loop$"),
        (lambda cells: cells["g2"]["connections"].update(CK=[3]), r"^gate g2: DFF is not clocked by the rising edge of clk$"),
        (lambda cells: cells["g1"].update(type="NAND"), r"^cell NAND of the netlist is not in small\.lib$"),
    ],
)  # fmt: skip
def test_nets_without_annotation_are_refused(small, toggler, change, message):
    change(toggler["cells"])
    with pytest.raises(HwsimError, match=message):
        Netlist.of(toggler, Library([small()]))


def test_ports_that_nobody_drives_are_refused(small, toggler):
    netlist = Netlist.of(toggler, Library([small()]))
    with pytest.raises(HwsimError, match=r"^input ports rst are not driven: their nets would not be annotated$"):
        simulate(netlist, {})


@pytest.fixture(scope="module")
def osu018():
    return Library([tools.cells("osu018_stdcells.lib")])


def test_a_toggle_charges_half_of_c_v_squared(osu018):
    """An inverter that drives an inverter: a rise and a fall draw C V^2 in all, and the port pays its own pin."""
    cells = {name: {"type": "INVX1", "connections": {"A": [bits], "Y": [bits + 1]}} for name, bits in (("a", 2), ("b", 3))}
    ports = {"x": {"direction": "input", "bits": [2]}, "y": {"direction": "output", "bits": [4]}}
    netlist = Netlist.of({"ports": ports, "cells": cells}, osu018)
    power = Prices(netlist, analyse(netlist), 1.8).evaluate(simulate(netlist, {"x": np.array([[0, 1, 0, 1, 0]])}))
    capacitance_pf = osu018.cell("INVX1").inputs["A"]
    assert power.switching_pj == pytest.approx([2 * capacitance_pf * 1.8**2])  # two rises and two falls
    assert power.input_pj == pytest.approx([2 * capacitance_pf * 1.8**2])


def test_slews_beyond_a_table_cost_what_its_end_costs(small):
    template = """
  power_lut_template (by_slew) { variable_1 : input_transition_time; index_1 ("0, 1"); }
  cell (INV)"""
    library = Library([small("cell (INV)", template)])
    table = library.cell("INV").energies[0].rise
    assert table.within(5.0) == 5.0  # a table without slews does not end
    text = library.paths[0].read_text().replace('rise_power (scalar) { values ("7"); }', 'rise_power (by_slew) { values ("7, 9"); }')
    library.paths[0].write_text(text)
    table = Library(library.paths).cell("INV").energies[0].rise
    assert (table.within(0.5), table.within(5.0)) == (0.5, 1.0)
    assert table.at(slew=table.within(5.0)) == pytest.approx(9e-3)


@pytest.mark.parametrize("name", PES)
def test_gates_equal_the_twin_and_toggles_a_recount(name, osu018, tmp_path):
    pe = PES[name]
    synthesis.place(osu018, tmp_path)
    netlist = synthesis.synthesise(pe.create(), osu018, tmp_path, synthesis.Recipe())
    beats = streams.designed(pe, 9, 60, seed=3)
    plan = drive.schedule(pe, beats)
    waves = simulate(netlist, plan.ports)
    drive.check(pe, beats, plan, waves)
    for column, net in enumerate(netlist.nets):
        values = waves.bits(net).astype(int)
        assert waves.toggles()[column].tolist() == np.abs(np.diff(values, axis=0)).sum(axis=0).tolist()
    wrong = streams.Streams(beats.names, {k: v ^ 1 for k, v in beats.operands.items()}, beats.first, beats.valid)
    with pytest.raises(HwsimError, match=f"^gates of {pe.key} give acc = "):
        drive.check(pe, wrong, plan, waves)


def test_a_lane_costs_what_it_costs_alone(osu018, tmp_path):
    pe = PES["adder"]
    synthesis.place(osu018, tmp_path)
    netlist = synthesis.synthesise(pe.create(), osu018, tmp_path, synthesis.Recipe())
    prices = Prices(netlist, analyse(netlist), osu018.voltage_v)
    ports = drive.schedule(pe, streams.designed(pe, 64, 40, seed=4)).ports
    together = prices.evaluate(simulate(netlist, ports)).total_pj
    alone = [prices.evaluate(simulate(netlist, {k: v[i : i + 1] for k, v in ports.items()})).total_pj[0] for i in (0, 5, 63)]
    assert together[[0, 5, 63]] == pytest.approx(alone)
    assert together.min() > 0
