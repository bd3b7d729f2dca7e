"""Liberty: what is read, in which units, and that broken or partial files give one clear error."""

import gzip
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.calibrate import boolean
from flows.calibrate.library import Library
from flows.calibrate.table import Table
from hwsim import HwsimError, InputError


def test_units_come_from_the_header(small):
    cell = Library([small()]).cell("INV")
    assert (cell.area_um2, cell.leakage_nw, cell.inputs["A"]) == pytest.approx((1.5, 3, 4e-3))
    picofarad = Library([small("(1, ff)", "(1, pf)")]).cell("INV")
    assert picofarad.inputs["A"] == pytest.approx(4)
    assert picofarad.energies[0].rise.at() == pytest.approx(7)
    assert Library([small('"1nW"', '"10uW"')]).cell("INV").leakage_nw == pytest.approx(3e4)
    assert Library([small('"1ns"', '"100ps"')]).cell("INV").arcs[0].fall.at() == pytest.approx(0.2)


def test_negative_energies_are_kept(small):
    (energy,) = Library([small()]).cell("INV").energies
    assert (energy.rise.at(), energy.fall.at()) == (pytest.approx(7e-3), pytest.approx(-2e-3))


def test_gzipped_and_several_files_make_one_library(small, tmp_path):
    path = small()
    packed = tmp_path / "second.lib.gz"
    packed.write_bytes(gzip.compress(path.read_bytes().replace(b"cell (INV)", b"cell (INV2)")))
    library = Library([path, packed])
    assert library.cell("INV2").area_um2 == library.cell("INV").area_um2
    assert set(library.digests) == {"small.lib", "second.lib.gz"}


def test_leakage_without_an_average_is_the_mean_over_states_of_each_supply(small):
    states = "".join(
        f'leakage_power () {{ when : "{when}"; value : {value}; related_pg_pin : {pin}; }}'
        for when, value, pin in (("A", 2, "VDD"), ("!A", 4, "VDD"), ("A", 10, "VSS"))
    )
    assert Library([small("cell_leakage_power : 3;", states)]).cell("INV").leakage_nw == pytest.approx(13)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('time_unit : "1ns";', "", "time_unit: field is required: units are read from the header"),
        ('"1ns"', '"fast"', "time_unit: must be a number with a unit, not 'fast'"),
        ("cell_leakage_power : 3;", "", "cell INV: has no leakage power"),
        ("area : 1.5;", "", "cell INV: area: field is required"),
        ('internal_power () { related_pin : "A";', 'other () { related_pin : "A";', "cell INV: has no internal_power tables"),
        ('values ("7")', 'values ("7, 8")', "cell INV: rise_power: must have 1 values, not 2"),
        ("rise_power (scalar)", "rise_power (missing)", "cell INV: rise_power: must be a template of the library, not 'missing'"),
        ('"A\'"', '"B\'"', 'cell INV: names B, which is no pin or state that can be simulated, not "B\'"'),
        ('related_pin : "A"; rise_power', 'related_pin : "E"; rise_power', "cell INV: names E, which is no pin or state that can be simulated, not 'E'"),
        ("cell_leakage_power : 3;", "cell_leakage_power : low;", "cell_leakage_power: must be a number, not 'low'"),
        ("nom_voltage : 2.0;", "", "library small: nom_voltage: field is required"),
        ("library (small) {", "library (small) { %", "line 2 (continued lines count once): is not Liberty, not '%'"),
    ],
)  # fmt: skip
def test_partial_libraries_are_refused(small, old, new, message):
    path = small(old, new)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {message}')}$"):
        Library([path]).cell("INV")


def test_unknown_cells_and_cut_files_are_refused(small, tmp_path):
    path = small()
    with pytest.raises(HwsimError, match=r"^cell NAND2 of the netlist is not in small\.lib$"):
        Library([path]).cell("NAND2")
    text = path.read_text()
    path.write_text(text[: text.index("cell (DFF)") + 12])
    with pytest.raises(InputError, match=re.escape("ends inside cell (DFF): the file is cut off")):
        Library([path])
    packed = tmp_path / "cut.lib.gz"
    packed.write_bytes(gzip.compress(text.encode())[:-20])
    with pytest.raises(InputError, match="is not a whole gzip file"):
        Library([packed])
    with pytest.raises(InputError, match="cannot be read: no such file"):
        Library([tmp_path / "none.lib"])


def test_files_of_other_conditions_are_refused(small, tmp_path):
    hot = tmp_path / "hot.lib"
    path = small()
    hot.write_text(path.read_text().replace("nom_temperature : 25", "nom_temperature : 125"))
    with pytest.raises(InputError, match=r"must have the nominal voltage and temperature of small\.lib, not \(2\.0, 125\.0\)"):
        Library([path, hot])


def _combined(pair):
    (left, python_left), (sign, python), (right, python_right) = pair
    return f"({left}) {sign} ({right})", f"({python_left} {python} {python_right})"


SIGNS = [("&", "&"), ("*", "&"), (" ", "&"), ("|", "|"), ("+", "|"), ("^", "^")]
EXPRESSIONS = st.recursive(  # the same expression as Liberty and as Python writes it
    st.sampled_from([(name, name) for name in "abc01"]),
    lambda inner: st.one_of(
        inner.map(lambda e: (f"!({e[0]})", f"(1 ^ {e[1]})")),
        inner.map(lambda e: (f"({e[0]})'", f"(1 ^ {e[1]})")),
        st.tuples(inner, st.sampled_from(SIGNS), inner).map(_combined),
    ),
    max_leaves=8,
)


@given(EXPRESSIONS)
def test_expressions_equal_python_on_every_input(pair):
    liberty, python = pair
    codes = np.arange(8)
    values = {name: (codes >> bit & 1).astype(bool) for bit, name in enumerate("abc")}
    rows = [{name: int(code >> bit & 1) for bit, name in enumerate("abc")} for code in codes]
    expected = [bool(eval(python, {}, row)) for row in rows]  # noqa: S307 (made above)
    assert np.broadcast_to(boolean.evaluate(liberty, values), 8).tolist() == expected


@pytest.mark.parametrize("text", ["", "a &", "(a", "a)", "a $ b", "!"])
def test_wrong_expressions_are_refused(text):
    with pytest.raises(InputError, match=r"^function: must be a Boolean expression"):
        boolean.parse(text)


def test_precedence_of_operators():
    values = {"a": np.bool_(True), "b": np.bool_(False), "c": np.bool_(True)}
    assert boolean.evaluate("a + b c'", values)
    assert not boolean.evaluate("b ^ a * b", values)
    assert boolean.evaluate("!b a", values)


@given(st.floats(-1, 4), st.floats(-1, 6))
def test_tables_are_exact_on_bilinear_functions(slew, load):
    points = ((0.0, 1.0, 3.0), (0.0, 2.0, 5.0))

    def value(x, y):
        return 1 + 2 * x - 3 * y + 0.5 * x * y

    table = Table(("slew", "load"), points, tuple(value(x, y) for x in points[0] for y in points[1]))
    assert table.at(slew=slew, load=load) == pytest.approx(value(slew, load), abs=1e-9)
