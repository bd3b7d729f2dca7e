"""Register files as gates: the model holds at sizes that were not measured, and the clock dominates."""

import pytest

from flows.calibrate import synthesis
from flows.calibrate.library import Library
from flows.tables.registers import measure, table
from flows.verify import tools
from hwsim import InputError
from hwsim.technology import load_technology
from hwsim.technology.registers import UNCERTAINTY, register_file, register_files


@pytest.fixture(scope="module")
def osu(tmp_path_factory):
    folder = tmp_path_factory.mktemp("osu018")
    library = Library([tools.cells("osu018_stdcells.lib")])
    synthesis.place(library, folder)
    return library, folder


def test_the_committed_table_is_what_gates_give(osu):
    """If calibration changed: see flows/tables/registers.py."""
    assert measure(4, 8, *osu) == pytest.approx(register_files()["osu018"]["4x8"].model_dump(), rel=1e-3)


def test_sizes_between_are_met(osu):
    """A size that the table lacks, measured: 8 words of 16 bits."""
    gates, model = measure(8, 16, *osu), register_file("osu018", 8, 16)
    for figure in ("read_pj", "write_pj", "hold_pj", "area_um2", "leakage_nw"):
        assert getattr(model, figure) == pytest.approx(gates[figure], rel=UNCERTAINTY), figure


@pytest.mark.parametrize("library", ["osu018", "sky130hd", "ihp-sg13g2", "nangate45", "asap7"])
def test_the_clock_of_all_words_dwarfs_a_read_of_one(library):
    one = register_file(library, 64, 8)
    assert one.hold_pj > 3 * one.read_pj
    assert one.hold_pj == pytest.approx(4 * register_file(library, 16, 8).hold_pj, rel=0.05)
    coefficients = {use: load_technology(library).coefficient(f"registers.64x8{use}") for use in ("", ".read", ".hold")}
    assert coefficients[""].value == pytest.approx(coefficients[".read"].value + coefficients[".hold"].value)
    assert coefficients[".hold"].is_per_cycle


def test_what_was_not_measured_is_refused():
    with pytest.raises(InputError, match=r"^register file must lie between 4x8 and 64x32, not '128x8'$"):
        register_file("osu018", 128, 8)
    with pytest.raises(InputError, match=r"^register files are known in osu018, nangate45, .*, not 'mine'$"):
        register_file("mine", 16, 8)


def test_no_libraries_no_table():
    assert table({}) == {}
