"""A library of two cells whose energies can be added up by hand, and a netlist of them."""

import copy

import pytest

LIBRARY = """
library (small) {
  time_unit : "1ns"; voltage_unit : "1V"; leakage_power_unit : "1nW"; capacitive_load_unit (1, ff);
  nom_voltage : 2.0; nom_temperature : 25;
  cell (INV) {
    area : 1.5; cell_leakage_power : 3;
    pin (A) { direction : input; capacitance : 4; }
    pin (Y) {
      direction : output; function : "A'";
      timing () { related_pin : "A"; timing_sense : negative_unate;
        cell_rise (scalar) { values ("1"); } cell_fall (scalar) { values ("2"); }
        rise_transition (scalar) { values ("0.1"); } fall_transition (scalar) { values ("0.1"); } }
      internal_power () { related_pin : "A"; rise_power (scalar) { values ("7"); } fall_power (scalar) { values ("-2"); } }
    }
  }
  cell (DFF) {
    area : 5; cell_leakage_power : 10;
    ff (IQ, IQN) { next_state : "D"; clocked_on : "CK"; }
    pin (CK) { direction : input; capacitance : 2; clock : true;
      internal_power () { when : "!Q"; rise_power (scalar) { values ("100"); } fall_power (scalar) { values ("0"); } }
      internal_power () { rise_power (scalar) { values ("10"); } fall_power (scalar) { values ("1"); } } }
    pin (D) { direction : input; capacitance : 3;
      timing () { related_pin : "CK"; timing_type : setup_rising;
        rise_constraint (scalar) { values ("0.5"); } fall_constraint (scalar) { values ("0.5"); } } }
    pin (Q) { direction : output; function : "IQ";
      timing () { related_pin : "CK"; timing_type : rising_edge;
        cell_rise (scalar) { values ("3"); } cell_fall (scalar) { values ("3"); }
        rise_transition (scalar) { values ("0.1"); } fall_transition (scalar) { values ("0.1"); } }
      internal_power () { related_pin : "CK"; rise_power (scalar) { values ("20"); } fall_power (scalar) { values ("30"); } } }
  }
}
"""

TOGGLER = {  # a flip-flop that takes its own inverse: it toggles in every cycle
    "ports": {
        "clk": {"direction": "input", "bits": [2]},
        "rst": {"direction": "input", "bits": [5]},
        "q": {"direction": "output", "bits": [4]},
    },
    "cells": {
        "g1": {"type": "INV", "connections": {"A": [4], "Y": [3]}},
        "g2": {"type": "DFF", "connections": {"CK": [2], "D": [3], "Q": [4]}},
    },
}


@pytest.fixture
def small(tmp_path):
    """Write a changed copy of the library and return its path."""

    def write(old="", new=""):
        assert old in LIBRARY
        path = tmp_path / "small.lib"
        path.write_text(LIBRARY.replace(old, new) if old else LIBRARY)
        return path

    return write


@pytest.fixture
def toggler():
    return copy.deepcopy(TOGGLER)
