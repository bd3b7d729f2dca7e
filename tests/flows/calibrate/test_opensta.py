"""OpenSTA, where it is installed: it and we price tables, loads, slews and clocks alike; how it weighs tables is its own."""

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from flows.calibrate import drive, streams, synthesis
from flows.calibrate.library import Library
from flows.calibrate.netlist import Gate, Netlist
from flows.calibrate.power import Prices
from flows.calibrate.simulation import simulate
from flows.calibrate.table import Table
from flows.calibrate.timing import analyse
from flows.verify import tools
from rtl.pe.integer import IntegerMac
from tests.flows.calibrate.opensta import by_formula, reported, weight

PE = IntegerMac(x_bits=4, w_bits=4, accumulator=10)
LIBERTY = {
    "sky130hd": ["sky130hd_tt"], "ihp-sg13g2": ["ihp_sg13g2_typ"], "nangate45": ["nangate45_typ"],
    "asap7": [f"asap7sc7p5t_{part}" for part in ("AO_RVT_TT_nldm_211120", "INVBUF_RVT_TT_nldm_220122",
              "OA_RVT_TT_nldm_211120", "SEQ_RVT_TT_nldm_220123", "SIMPLE_RVT_TT_nldm_211120")],
}  # fmt: skip
needs_sta = pytest.mark.skipif(shutil.which("sta") is None, reason="OpenSTA is not installed (apt-get install opensta)")


@pytest.fixture(scope="module", params=["osu018", *LIBERTY])
def library(request):
    if request.param == "osu018":
        return Library([tools.cells("osu018_stdcells.lib")])
    if "HWSIM_DATA" not in os.environ:
        pytest.skip("HWSIM_DATA names no folder with liberty/")
    return Library([Path(os.environ["HWSIM_DATA"]) / "liberty" / f"{name}.lib.gz" for name in LIBERTY[request.param]])


@needs_sta
def test_its_formula_on_our_tables_gives_what_it_reports(library, tmp_path):
    synthesis.place(library, tmp_path)
    netlist = synthesis.synthesise(PE.create(), library, tmp_path, synthesis.Recipe())
    ours, theirs = by_formula(netlist, analyse(netlist), library.voltage_v), reported(netlist, library, tmp_path)
    kept = np.array([not _conditional_ground(gate.cell) for gate in netlist.gates])
    assert kept.sum() > len(kept) / 3
    assert ours.clock_pj.sum() == pytest.approx(theirs.clock_pj.sum(), rel=1e-3)
    assert ours.internal_pj[kept].sum() == pytest.approx(theirs.internal_pj[kept].sum(), rel=0.01)
    charging = ours.switching_pj.sum()
    assert charging == pytest.approx(theirs.switching_pj.sum(), rel=0.04)  # it takes the larger of rising and falling
    total = charging + ours.internal_pj[kept].sum() + ours.clock_pj.sum()
    assert total == pytest.approx(theirs.switching_pj.sum() + theirs.internal_pj[kept].sum() + theirs.clock_pj.sum(), rel=0.02)
    if not kept.all():  # it charges ground's tables, which we leave out
        both = theirs.internal_pj[~kept].sum() / ours.internal_pj[~kept].sum()
        assert 1.3 < both < 2.05


def _conditional_ground(cell):
    """Whether OpenSTA prices ground of this cell: that of tables with a condition, on a pin that toggles."""
    return any(energy.supply and energy.when and energy.pin in cell.outputs for energy in cell.energies)


EDGES_PER_TOGGLE = {"INVX1": 2, "NAND2X1": 2, "XOR2X1": 2, "NAND3X1": 2.5, "AOI21X1": 3.5, "AOI22X1": 4, "DFFPOSX1": 2}
"""Edges that OpenSTA charges for a toggle of an output; there is one."""


@needs_sta
@pytest.mark.parametrize("name", EDGES_PER_TOGGLE)
def test_one_gate_is_charged_as_its_formula_says(name, tmp_path):
    library = Library([tools.cells("osu018_stdcells.lib")])
    cell = library.cell(name)
    (output,) = cell.outputs
    outputs = [energy for energy in cell.energies if energy.pin == output]
    assert 2 * sum(weight(cell, energy) for energy in outputs) == EDGES_PER_TOGGLE[name]
    ports = [pin for pin in cell.inputs if pin != cell.clock_pin]
    pins = {pin: number for number, pin in enumerate([*ports, output], 3)} | ({cell.clock_pin: 2} if cell.register else {})
    wires = {2: "clk", **{number: pin for pin, number in pins.items() if pin != cell.clock_pin}}
    connections = ", ".join(f".{pin}({wires[number]})" for pin, number in pins.items())
    (tmp_path / "gates.v").write_text(
        f"module pe(clk, {', '.join([*ports, output])}); input clk, {', '.join(ports)}; output {output};"
        f" {name} _0_ ({connections}); endmodule\n"
    )
    synthesis.place(library, tmp_path)
    gate = Gate("_0_", cell, pins)
    netlist = Netlist((gate,), {pin: (pins[pin],) for pin in ports}, {output: (pins[output],)})
    ours, theirs = by_formula(netlist, analyse(netlist), library.voltage_v), reported(netlist, library, tmp_path)
    assert ours.internal_pj == pytest.approx(theirs.internal_pj, rel=1e-3)
    assert ours.clock_pj == pytest.approx(theirs.clock_pj, rel=1e-3)


@needs_sta
def test_gates_it_weighs_rightly_cost_the_same_at_our_toggles(tmp_path):
    """Gates of one or two inputs in osu018, whose weights add up to twice a half."""
    library = Library([tools.cells("osu018_stdcells.lib")])
    synthesis.place(library, tmp_path)
    netlist = synthesis.synthesise(PE.create(), library, tmp_path, synthesis.Recipe())
    waves = simulate(netlist, drive.schedule(PE, streams.uniform(PE, 1, 2000, seed=5)).ports)
    prices, cycles = Prices(netlist, analyse(netlist), library.voltage_v), len(waves.words) - 1
    inside, edges = np.array([prices.inside(index, waves) for index in range(len(netlist.gates))])[:, :, 0].T / cycles
    theirs = reported(netlist, library, tmp_path)
    rates = dict(zip(netlist.nets, waves.toggles()[:, 0] / cycles, strict=True))
    toggles = np.array([sum(rates[gate.pins[pin]] for pin in gate.cell.outputs if pin in gate.pins)
                        for gate in netlist.gates])  # fmt: skip
    assert prices.evaluate(waves).switching_pj[0] / cycles == pytest.approx((theirs.switching_pj * toggles).sum(), rel=0.01)
    two = np.array([len(gate.cell.inputs) <= 2 and not gate.cell.register for gate in netlist.gates])
    assert two.sum() > 50
    assert inside[two].sum() == pytest.approx((theirs.internal_pj / 2 * toggles)[two].sum(), rel=0.03)
    assert edges.sum() == pytest.approx(theirs.clock_pj.sum() / 2, rel=0.01)


def test_a_toggle_is_one_edge_of_one_table_in_every_gate(library, tmp_path):
    """The rule that OpenSTA breaks: with tables of 1 pJ throughout, a PE's outputs cost what they toggle."""
    synthesis.place(library, tmp_path)
    netlist = synthesis.synthesise(PE.create(), library, tmp_path, synthesis.Recipe())
    unit = Table((), (), (1.0,))
    gates = tuple(
        dataclasses.replace(gate, cell=dataclasses.replace(gate.cell, energies=tuple(
            dataclasses.replace(energy, rise=unit, fall=unit)
            for energy in gate.cell.energies if energy.pin in gate.cell.outputs
        ))) for gate in netlist.gates
    )  # fmt: skip
    netlist = dataclasses.replace(netlist, gates=gates)
    waves = simulate(netlist, drive.schedule(PE, streams.designed(PE, 8, 100, seed=6)).ports)
    power = Prices(netlist, analyse(netlist), library.voltage_v).evaluate(waves)
    ports = sum(map(len, netlist.inputs.values()))
    assert power.internal_pj == pytest.approx(waves.toggles()[ports:].sum(axis=0))
