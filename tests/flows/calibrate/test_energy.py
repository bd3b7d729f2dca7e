"""Energy: added up by hand on two gates; on real PEs, gates equal the twin, toggles a recount, and OpenSTA agrees."""

import shutil

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
from tests.flows.calibrate.opensta import by_gate

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
    waves = simulate(netlist, {"rst": np.zeros((2, 5), int)})
    power = Prices(netlist, timing, library.voltage_v).evaluate(waves)
    # per cycle, fJ: Q moves (20 + 30) / 2, Y (7 - 2) / 2; they charge 4 + 3 fF at 2 V; D != Q at each clock: 100
    assert power.internal_pj == pytest.approx([4 * 27.5e-3] * 2)
    assert power.switching_pj == pytest.approx([4 * 14e-3] * 2)
    assert power.clock_cell_pj == pytest.approx([4 * 100e-3] * 2)
    assert power.clock_pin_pj == pytest.approx([4 * 8e-3] * 2)
    assert power.input_pj == pytest.approx([0, 0])
    assert timing.delay_ns == pytest.approx(3 + 2 + 0.5)
    assert (netlist.area_um2, netlist.leakage_nw, netlist.registers) == pytest.approx((6.5, 13, 1))


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


@pytest.mark.skipif(shutil.which("sta") is None, reason="OpenSTA is not installed (apt-get install opensta)")
def test_opensta_agrees_gate_by_gate(osu018, tmp_path):
    """Switching of every gate; internal energy of gates of one or two inputs and the clock's part of flip-flops.

    Of gates with three inputs and of a flip-flop's data pin, the version of 2019 weighs tables otherwise.
    """
    pe = IntegerMac(x_bits=4, w_bits=4, accumulator=10)
    synthesis.place(osu018, tmp_path)
    netlist = synthesis.synthesise(pe.create(), osu018, tmp_path, synthesis.Recipe())
    waves = simulate(netlist, drive.schedule(pe, streams.uniform(pe, 1, 2000, seed=5)).ports)
    prices = Prices(netlist, analyse(netlist), osu018.voltage_v)
    total, cycles = prices.evaluate(waves), len(waves.words) - 1
    inside, edges = np.array([prices.inside(index, waves) for index in range(len(netlist.gates))])[:, :, 0].T / cycles
    theirs = by_gate(waves, osu018, tmp_path)
    assert total.switching_pj[0] / cycles == pytest.approx(theirs.switching_pj.sum(), rel=0.01)
    registers = np.array([gate.cell.register is not None for gate in netlist.gates])
    two = np.array([len(gate.cell.inputs) <= 2 for gate in netlist.gates]) & ~registers
    assert two.sum() > 50
    assert inside[two].sum() == pytest.approx(theirs.internal_pj[two].sum(), rel=0.03)
    assert edges.sum() == pytest.approx(theirs.clock_pj.sum(), rel=0.01)
