"""Storage against a count register by register; an array's prediction against its gates, on layers not fitted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.calibrate import array, measure, networks, storage, synthesis
from flows.calibrate.library import Library
from flows.calibrate.measure import Setup
from flows.verify import tools
from hwsim import HwsimError
from rtl.array import SystolicArray
from rtl.pe import find
from rtl.pe.integer import IntegerMac

PE = IntegerMac(x_bits=4, w_bits=4, accumulator=14)


@pytest.fixture(scope="module")
def setup(tmp_path_factory):
    made = Setup(Library([tools.cells("osu018_stdcells.lib")]), tmp_path_factory.mktemp("array"), synthesis.Recipe())
    synthesis.place(made.library, made.folder)
    return made


def test_layers_that_nothing_was_fitted_to_are_predicted(setup):
    found = array.checks("mine", measure.element(PE, setup), SystolicArray(rows=2, columns=3, pe=PE), setup)
    assert {one.layer.split(".")[0] for one in found} == {"mlp", "lenet"}
    assert len(found) >= 5
    for one in found:
        assert one.operations == one.tiles * 6 * len(networks.layers()[one.layer][1])
        assert set(one.predicted_pj) == {"pes", "lines", "drain", "buffer"}
        assert abs(one.error) < 0.05, one


def test_gates_that_compute_something_else_are_refused(setup):
    made = SystolicArray(rows=2, columns=2, pe=PE)
    other = SystolicArray(rows=2, columns=2, pe=IntegerMac(x_bits=4, w_bits=4, accumulator=14, x_signed=False))
    netlist = synthesis.synthesise(other.create(), setup.library, setup.folder, setup.recipe)
    tiles = array.Tiles.of(made, np.full((2, 20), -3), np.full((20, 2), 5))
    with pytest.raises(HwsimError, match=r"^gates of the array do not give the product of the layer$"):
        array.Gates(made, netlist, setup.library).energy_pj(tiles)


def test_an_array_without_numbers_is_refused(setup):
    pe = find("fusible4")
    circuit = measure.element(PE, setup)
    with pytest.raises(HwsimError, match=r"^an array of fusible4 has no layers to run: it takes no numbers x and w$"):
        array.checks("fusible4", circuit, SystolicArray(rows=2, columns=2, pe=pe), setup)


def test_tiles_are_the_product_in_pieces():
    made = SystolicArray(rows=2, columns=3, pe=PE)
    x, w = np.arange(5 * 20).reshape(5, 20) % 16 - 8, np.arange(20 * 7).reshape(20, 7) % 13 - 6
    tiles = array.Tiles.of(made, x, w)
    results = made.compute(tiles.first, tiles.last, x=tiles.x, w=tiles.w)
    product = (x.astype(np.int64) @ w)[:4, :6]
    assert np.block([[results[0], results[1]], [results[2], results[3]]]).tolist() == product.tolist()
    assert not array.Tiles.fits(made, x[:1], w)
    assert not array.Tiles.fits(made, x, w[:5])


@given(st.lists(st.tuples(st.integers(0, 15), st.booleans()), min_size=1, max_size=30), st.integers(1, 4))
def test_bits_stored_in_a_queue_equal_those_of_a_ring(beats, depth):
    words, enable = (np.array(column) for column in zip(*beats, strict=True))
    ring, place, changed = [0] * depth, 0, 0
    for word, taken in beats[:-1]:
        if taken:
            changed += (ring[place] ^ word).bit_count()
            ring[place], place = word, (place + 1) % depth
    assert storage._stored(words, enable, depth) == changed


def test_a_line_of_registers_is_modelled_within_a_percent(setup):
    line = storage.Line()
    netlist = synthesis.synthesise(line, setup.library, setup.folder, setup.recipe)
    assert netlist.registers == storage.BITS * storage.STAGES
    model = array.fit(line.sample(netlist, setup.library, seed=1), {"other": line.sample(netlist, setup.library, seed=2)})
    assert model.held_out[0].max_error < 0.01
