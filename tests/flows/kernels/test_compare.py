"""Printed factors beside ours, from static scores or from measurements of the same device and shape."""

import pytest

from flows.kernels.compare import factors
from flows.kernels.static import StaticScore
from hwsim.gpu.measured import FOLDER, Measurements, Timing

NAMES = ("matshift", "matshift-published", "matadd", "matadd-published", "fakeshift", "fp32")


def score(kernel, compute_s):
    return StaticScore(
        kernel=kernel, shape="2x3x4", device="rtx-3090", arch="sm_86", registers=1, shared_bytes=0, spilled_bytes=0,
        blocks=1, resident_blocks=1, instructions_per_mac=1, mix_per_mac={}, operand_bytes=1, compute_s=compute_s,
        memory_s=0.5, bound="alu",
    )  # fmt: skip


SCORES = [score(name, 1.0 + number) for number, name in enumerate(NAMES)]


def test_factors_come_from_modelled_times():
    found = factors(SCORES)
    assert [(one.name, one.basis, one.printed) for one in found] == [
        ("MatShift over fake shift", "modelled", 3.07), ("MatShift over MatMul", "modelled", 1.16),
        ("MatAdd over MatMul", "modelled", 1.51),
    ]  # fmt: skip
    assert (found[0].packed, found[0].published) == (5 / 1, 5 / 2)
    assert (found[2].packed, found[2].published) == (6 / 3, 6 / 4)


def test_a_factor_needs_all_its_kernels():
    assert [one.name for one in factors(SCORES[:5])] == ["MatShift over fake shift"]


def test_measured_times_are_used_only_if_all_were_measured(tmp_path, monkeypatch):
    rows = [
        Timing(kernel=name, primitive="mac", formats=("int8", "int8"), batch=1, m=2, k=3, n=4, median_s=seconds)
        for name, seconds in (("fakeshift", 6.0), ("matshift", 2.0), ("matshift-published", 3.0))
    ]
    database = Measurements(
        device="rtx-3090", device_name="", date="", versions={}, conditions="", timings=tuple(rows)
    )  # fmt: skip
    (tmp_path / "rtx.json").write_text(database.model_dump_json(by_alias=True))
    monkeypatch.setenv(FOLDER, str(tmp_path))
    found = factors(SCORES)
    assert [one.basis for one in found] == ["measured", "modelled", "modelled"]
    assert (found[0].packed, found[0].published) == (pytest.approx(3.0), pytest.approx(2.0))
