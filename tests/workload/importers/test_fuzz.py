"""Damaged files of every format give a workload or an `HwsimError`, never anything else."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwsim.errors import HwsimError
from hwsim.workload.importers import load
from tests.workload.importers.graphs import small_graph
from tests.workload.importers.mutation import mutated

DATA = Path(__file__).parents[2] / "data"
FILES = [
    ("scalesim", "scalesim/conv.csv"), ("scalesim", "scalesim/gemm.csv"), ("timeloop", "timeloop/conv1d.yaml"),
    ("timeloop", "timeloop/conv2d_v04.yaml"), ("accelforge", "accelforge/chain.yaml"), ("kineto", "kineto/step.json"),
    ("execution-trace", "execution_trace/step.json"), ("onnx", ""),
]  # fmt: skip


def original(name):
    return (DATA / name).read_bytes() if name else small_graph()


@pytest.mark.parametrize(("format", "name"), FILES, ids=[name or "onnx" for _, name in FILES])
def test_damaged_files_give_a_workload_or_the_documented_error(format, name, tmp_path):
    if format == "onnx":
        pytest.importorskip("onnx")
    data, path = original(name), tmp_path / "damaged"

    @settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**32), st.booleans(), st.sampled_from(["error", "skip"]))
    def check(seed, told, unknown):
        path.write_bytes(mutated(data, seed))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            message = outcome(path, format if told else None, unknown)
        assert message is None or str(path) in message

    load_original(path, data, format)
    check()


def outcome(path, format, unknown):
    """Return the message of the documented error, or None for success."""
    try:
        load(path, format, unknown)
    except HwsimError as error:
        return str(error)
    return None


def load_original(path, data, format):
    path.write_bytes(data)
    assert load(path).operators == load(path, format).operators
