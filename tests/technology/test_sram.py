"""The SRAM model equals CACTI where it ran, is close where it did not, and refuses what it does not know."""

import csv
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim import InputError
from hwsim.technology.sram import QUANTITIES, held_out_errors, sram


@pytest.mark.skipif("HWSIM_DATA" not in os.environ, reason="HWSIM_DATA names no folder with sram/cacti7.csv")
def test_every_run_of_cacti_is_reproduced():
    with (Path(os.environ["HWSIM_DATA"]) / "sram" / "cacti7.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 800
    for row in rows:
        memory = sram(int(row["size_bytes"]), int(row["width_bits"]), int(row["node_nm"]), row["cell"])
        for name in QUANTITIES:
            assert getattr(memory, name) == pytest.approx(float(row[name]))


def test_held_out_runs_are_within_ten_percent():
    errors = held_out_errors()
    assert set(errors) == set(QUANTITIES)
    assert all(0 < error < 0.1 for error in errors.values())


@given(st.floats(1024, 4 << 20), st.floats(8, 64), st.sampled_from([22, 32, 45, 65, 90]))
def test_interpolation_lies_between_its_neighbours(size, width, node):
    memory = sram(size, width, node)
    sizes, widths = ([1 << (int(x).bit_length() - 1), 1 << int(x).bit_length()] for x in (size, width))
    around = [sram(a, b, node) for a in sizes for b in widths]
    for name in QUANTITIES:
        values = [getattr(one, name) for one in around]
        assert min(values) * (1 - 1e-9) <= getattr(memory, name) <= max(values) * (1 + 1e-9)


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
