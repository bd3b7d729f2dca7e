"""The committed switches are what gates give; if calibration changed: see flows/tables/switch.py."""

import pytest

from flows.calibrate import synthesis
from flows.calibrate.library import Library
from flows.tables.switch import measure
from flows.verify import tools
from hwsim.technology.wire import switches


def test_the_committed_table_is_what_gates_give(tmp_path):
    library = Library([tools.cells("osu018_stdcells.lib")])
    synthesis.place(library, tmp_path)
    assert measure(library, tmp_path) == pytest.approx(switches()["osu018"].model_dump(), rel=1e-3)
