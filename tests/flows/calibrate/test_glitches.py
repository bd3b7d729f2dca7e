"""Unit delays: a pulse that zero delay cannot see, and the same values once gates have settled."""

import numpy as np
import pytest

from flows.calibrate import drive, measure, streams, synthesis
from flows.calibrate.glitches import glitch_factor, unit_delay
from flows.calibrate.library import Library
from flows.calibrate.netlist import Netlist
from flows.calibrate.power import Prices
from flows.calibrate.simulation import simulate
from flows.calibrate.timing import analyse
from flows.verify import tools
from rtl.pe.adder import AdderPE


@pytest.fixture(scope="module")
def library():
    return Library([tools.cells("osu018_stdcells.lib")])


def test_a_late_input_makes_a_pulse(library):
    cells = {
        "late": {"type": "BUFX2", "connections": {"A": [2], "Y": [3]}},
        "xor": {"type": "XOR2X1", "connections": {"A": [2], "B": [3], "Y": [4]}},
    }
    ports = {"a": {"direction": "input", "bits": [2]}, "y": {"direction": "output", "bits": [4]}}
    netlist = Netlist.of({"ports": ports, "cells": cells}, library)
    drives = {"a": np.array([[0, 1, 1, 0, 1]])}
    settled = simulate(netlist, drives)
    assert dict(zip(netlist.nets, settled.toggles()[:, 0], strict=True)) == {2: 3, 3: 3, 4: 0}
    assert dict(zip(netlist.nets, unit_delay(settled).toggles()[:, 0], strict=True)) == {2: 3, 3: 3, 4: 6}
    assert glitch_factor(Prices(netlist, analyse(netlist), library.voltage_v), drives) > 1


def test_gates_settle_to_what_they_are_without_delays(library, tmp_path):
    pe = AdderPE(bits=3, accumulator=6)
    synthesis.place(library, tmp_path)
    bench = measure.Bench(pe, synthesis.synthesise(pe.create(), library, tmp_path, synthesis.Recipe()), library)
    settled = simulate(bench.netlist, drive.schedule(pe, streams.designed(pe, 5, 40, seed=7)).ports)
    rows = [row.tobytes() for row in unit_delay(settled).words]
    at = 0
    for cycle, row in enumerate(settled.words):  # the settled values of all cycles stand among the steps, in order
        assert row.tobytes() in rows[at:], cycle
        at = rows.index(row.tobytes(), at)
    assert rows[-1] == settled.words[-1].tobytes()
    assert 1 < bench.glitches() < 5
