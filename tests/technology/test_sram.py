"""The SRAM model equals CACTI where it ran, is close where it did not, and refuses what it does not know."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from hwsim import InputError
from hwsim.technology import load_technology
from hwsim.technology.grid import interpolated
from hwsim.technology.macros import FIGURES, between, macros
from hwsim.technology.macros import HELD_OUT as MACRO_ERRORS
from hwsim.technology.sram import HELD_OUT, QUANTITIES, _grids, sram

RUNS_LEFT_OUT = Path(__file__).parents[1] / "data" / "cacti7" / "held_out.csv"


@pytest.mark.skipif("HWSIM_DATA" not in os.environ, reason="HWSIM_DATA names no folder with sram/cacti7.csv")
def test_every_run_of_cacti_is_reproduced():
    with (Path(os.environ["HWSIM_DATA"]) / "sram" / "cacti7.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 800
    for row in rows:
        memory = sram(int(row["size_bytes"]), int(row["width_bits"]), int(row["node_nm"]), row["cell"])
        for name in QUANTITIES:
            assert getattr(memory, name) == pytest.approx(float(row[name]))


def errors_at_runs_left_out():
    """Relative errors by quantity at runs that the model does not hold; `tests/data/cacti7/held_out.csv`."""
    errors = {name: [] for name in QUANTITIES if name != "leakage_mw"}
    for row in csv.DictReader(RUNS_LEFT_OUT.read_text().splitlines()):
        memory = sram(int(row["size_bytes"]), int(row["width_bits"]), int(row["node_nm"]), row["cell"])
        for name, found in errors.items():
            found.append(getattr(memory, name) / float(row[name]) - 1)
    return errors


def test_runs_left_out_are_within_the_stated_errors():
    """The bar is 10 %: held as root mean square. Single runs are off by more, where CACTI changes the organisation."""
    errors = errors_at_runs_left_out()
    assert all(len(found) > 250 for found in errors.values())
    for name, found in errors.items():
        root_mean_square = (sum(one**2 for one in found) / len(found)) ** 0.5
        assert root_mean_square <= HELD_OUT[name] < root_mean_square + 0.015, name
        assert abs(sum(found) / len(found)) < 0.02, name  # no bias
        assert max(map(abs, found)) < 0.34, name


def test_the_stated_error_is_that_of_runs_left_out():
    """Where less than 6 % are stated, the bar of 10 % holds but for single runs; where more, errors are as large as stated."""
    found = []
    for row in csv.DictReader(RUNS_LEFT_OUT.read_text().splitlines()):
        memory = sram(int(row["size_bytes"]), int(row["width_bits"]), int(row["node_nm"]), row["cell"])
        found += [(memory.uncertainty[name], abs(getattr(memory, name) / float(row[name]) - 1)) for name in ("read_pj", "write_pj")]
    stated, errors = np.array(found).T
    smooth = stated < 0.06
    assert smooth.mean() > 0.5
    assert (errors[smooth] <= 0.1).mean() > 0.95
    for low, high in ((0.0, 0.03), (0.03, 0.06), (0.06, 0.1), (0.1, 0.5)):
        of_class = (stated >= low) & (stated < high)
        assert (errors[of_class] ** 2).mean() ** 0.5 < 1.2 * (stated[of_class] ** 2).mean() ** 0.5
    assert sram(65536, 64).uncertainty["read_pj"] == 0


def test_leakage_left_out_is_within_the_stated_error():
    """No runs between have leakage: each run is left out between its neighbours, twice as far apart as in use."""
    errors = []
    for grids in _grids().values():
        grid = grids["leakage_mw"]
        for size, width in grid:
            if {(size // 2, width), (size * 2, width)} <= grid.keys():
                rest = {place: value for place, value in grid.items() if place[0] != size}
                errors.append(interpolated(rest, size, width) / grid[size, width] - 1)
    assert (sum(one**2 for one in errors) / len(errors)) ** 0.5 <= HELD_OUT["leakage_mw"]


@pytest.mark.parametrize(("bits", "size", "horowitz_pj"), [(32, 8192, 5), (64, 8192, 10), (64, 32768, 20), (64, 1 << 20, 100)])
def test_coefficients_are_near_horowitz(bits, size, horowitz_pj):
    """ISSCC 2014, 45 nm: a read of an SRAM, and of caches, whose tags are not in ours."""
    one = load_technology("nangate45").coefficient(f"sram.{size}x{bits}.read")
    assert one.energy_pj(bits) <= horowitz_pj <= one.energy_pj(bits) * (1 + 2 * one.uncertainty)


def test_coefficients_say_what_they_are():
    table = load_technology("nangate45")
    read, write, both = (table.coefficient(f"sram.65536x64{access}.lop") for access in (".read", ".write", ""))
    memory = sram(65536, 64)
    assert (read.value, write.value) == (memory.read_pj, memory.write_pj)
    assert both.value == pytest.approx((read.value + write.value) / 2)
    assert both.uncertainty > read.uncertainty
    assert read.conditions == "45 nm itrs-lop, 0.7 V"
    scaled = load_technology("osu018").coefficient("sram.65536x64.read")
    assert "scaled by" in scaled.recipe
    assert "from 90 nm, 1.2 V" in scaled.recipe
    assert scaled.uncertainty > 1


def test_macros_of_ihp_are_met_when_left_out():
    errors = {name: [] for name in FIGURES}
    for name, one in macros().items():
        rest = [other for key, other in macros().items() if key != name]
        for figure, found in errors.items():
            weighted = weights(rest, figure)
            found.append(weighted(one.words, one.bits) / getattr(one, figure) - 1)
    for figure, found in errors.items():
        assert (sum(error**2 for error in found) / len(found)) ** 0.5 <= MACRO_ERRORS[figure], figure
        assert max(map(abs, found)) < 0.17, figure


def weights(given, figure):
    """The same fit by normal equations: an independent way to the least relative squares."""
    rows = np.array([[1, m.words, m.bits, m.words * m.bits] for m in given]) / [[getattr(m, figure)] for m in given]
    solution = np.linalg.solve(rows.T @ rows, rows.sum(axis=0))
    return lambda words, bits: float(solution @ [1, words, bits, words * bits])


def test_at_130_nm_coefficients_lie_between_macros():
    for one in macros().values():
        found = load_technology("ihp-sg13g2").coefficient(f"sram.{int(one.size_bytes)}x{one.bits}.read")
        assert found.value == pytest.approx(one.read_pj, rel=0.15)
        assert "IHP" in found.source
    large = load_technology("ihp-sg13g2").coefficient("sram.1048576x64")
    assert "CACTI" in large.source
    assert between(8192, 8) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((256, 8), r"^SRAM must be of 512 to 8388608 bytes and 8 to 256 bits an access, with runs of CACTI around it, not '256"),
        ((4096, 512), r"^SRAM must be of 512 to 8388608 bytes and 8 to 256 bits"),
        ((4096, 64, 28), r"^SRAM must be of 22 nm itrs-hp, .*, not '28 nm itrs-lop'$"),
        ((4096, 64, 45, "lstp"), r"not '45 nm lstp'$"),
    ],
)  # fmt: skip
def test_what_cacti_did_not_run_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        sram(*arguments)
