"""Scaling between nodes and voltages: the published equations, and how far our own libraries follow them."""

import itertools
import math

import pytest

from hwsim import InputError
from hwsim.technology import load_technology
from hwsim.technology.scaling import NODE_UNCERTAINTY, factors, scale

LIBRARIES = ("osu018", "sky130hd", "ihp-sg13g2", "nangate45", "asap7")


def test_energies_equal_the_polynomials():
    """At 130 nm and 1.2 V: 7.171 * 1.44 - 6.709 * 1.2 + 2.904; at 7 nm and 0.7 V: 0.1776 * 0.49 - 0.09097 * 0.7 + 0.02447."""
    found = factors(130, 1.2, 7, 0.7)
    assert found.energy == pytest.approx(0.047815 / 5.17944)
    assert found.area == pytest.approx(1 / 110)
    assert factors(65, 1.0, 65, 1.0)[:3] == (1, 1, 1)


@pytest.mark.parametrize("node", [130, 90, 65, 45, 32, 20, 16, 14, 10, 7])
def test_smaller_nodes_and_lower_voltages_cost_less_energy(node):
    assert factors(180, 1.8, node, 0.9).energy < 1
    assert factors(node, 0.8, node, 0.7).energy < 1 < factors(node, 0.8, node, 0.7).delay


def test_within_a_node_energy_follows_the_square_of_the_voltage():
    for node in (130, 90, 65, 45):
        assert factors(node, 1.1, node, 1.0).energy == pytest.approx((1.0 / 1.1) ** 2, rel=0.1)


def test_the_uncertainty_between_nodes_is_what_our_libraries_show():
    tables = [load_technology(name) for name in LIBRARIES]
    errors = []
    for one, other in itertools.combinations(tables, 2):
        logs = [math.log(other.circuits[key].energy_pj / one.circuits[key].energy_pj) for key in one.circuits]
        predicted = factors(one.node_nm, one.voltage_v, other.node_nm, other.voltage_v).energy
        errors.append(math.log(predicted) - sum(logs) / len(logs))
    root_mean_square = math.sqrt(sum(error**2 for error in errors) / len(errors))
    assert root_mean_square == pytest.approx(NODE_UNCERTAINTY, abs=0.1)


def test_a_scaled_table_keeps_sources_and_adds_uncertainty():
    table = load_technology("shiftaddnet-45nm")
    small = scale(table, 7, 0.7)
    before, after = table.coefficient("mult.int8"), small.coefficient("mult.int8")
    assert after.value / before.value == pytest.approx(factors(45, 0.9, 7, 0.7).energy)
    assert after.uncertainty == pytest.approx(math.hypot(before.uncertainty, NODE_UNCERTAINTY))
    assert after.source == before.source
    assert "from 45 nm, 0.9 V to 7 nm, 0.7 V (Stillmaker and Baas 2017)" in after.recipe
    assert small.coefficient("dram") == table.coefficient("dram")
    assert (small.node_nm, small.voltage_v) == (7, 0.7)


def test_circuits_scale_as_whole_elements():
    table = load_technology("nangate45")
    low = scale(table, voltage_v=0.9)
    of_networks = table.circuits["int8_mac"].energy[-1].total_pj
    assert low.coefficient("pe.mac.int8").value / of_networks == pytest.approx(0.669, abs=0.001)
    assert low.circuits == {}
    with pytest.raises(InputError, match=r"^register files are known in osu018, .*, not 'nangate45@45nm-0.9V'$"):
        low.coefficient("registers.16x8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((45, 0.9, 28, 0.9), r"^node must be one of 180, 130, 90, 65, 45, 32, 20, 16, 14, 10, 7 nm, not '28 nm'$"),
        ((180, 0.5, 45, 0.9), r"^voltage must be where the equations of 180 nm hold and energy rises with it, not '0.5 V'$"),
    ],
)  # fmt: skip
def test_what_the_equations_do_not_know_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        factors(*arguments)
