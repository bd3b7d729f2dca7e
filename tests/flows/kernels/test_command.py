"""The command, without TVM where that is not needed."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from flows.kernels import cubin, worker
from flows.kernels.command import kernels
from flows.kernels.kernel import Shape
from flows.kernels.measure import BASELINE, measure
from flows.kernels.registry import KERNELS, find
from flows.kernels.worker import Outcome

RUN = CliRunner()


def test_list_names_all_kernels_with_the_bits_of_a_weight():
    rows = json.loads(RUN.invoke(kernels, ["list", "--json"]).stdout)
    assert [row["name"] for row in rows] == list(KERNELS)
    bits = {row["name"]: row["bits_stored"] for row in rows}
    assert (bits["matshift"], bits["matadd"], bits["matshift-published"], bits["matadd-published"]) == (4, 1, 16, 32)


@pytest.fixture
def tasks(monkeypatch):
    """Tasks take a millisecond, or two in every second call; the adder crashes."""
    done = []

    def perform(task, request, arrays=None, timeout_s=0.0):
        done.append((task, request.get("kernel")))
        if request.get("kernel") == "adder":
            return Outcome(status="crashed", detail="measure ended by SIGSEGV")
        seconds = np.tile([1e-3, 2e-3], request["repetitions"] // 2)
        if task == "measure_torch":
            return Outcome(status="ok", arrays={"seconds": seconds * 3})
        kernel = find(request["kernel"])
        stored = tuple(arrays[f"W{index}"] for index in range(len(kernel.weights)))
        return Outcome(status="ok", arrays={"seconds": seconds, "C": kernel.reference(arrays["A"], stored)})

    monkeypatch.setattr("flows.kernels.measure.perform", perform)
    monkeypatch.setattr("flows.kernels.measure.version", lambda package: "1")
    return done


def test_measurements_take_turns_and_a_crash_is_a_row(tasks):
    found = measure([find("int8"), find("adder")], Shape(m=3, k=4, n=5), repetitions=4)
    assert tasks == [("measure", "int8"), ("measure", "adder"), ("measure_torch", None)] * 3
    product, adder, torch = found.timings
    assert (product.repetitions, product.best_s, product.error) == (12, 1e-3, 0)
    assert product.median_s == pytest.approx(1.5e-3)
    assert (adder.status, adder.detail, adder.median_s) == ("crashed", "measure ended by SIGSEGV", None)
    assert (torch.kernel, torch.best_s) == (BASELINE, 3e-3)


def test_measure_prints_ratios_and_writes_what_it_measured(tasks, tmp_path):
    path = tmp_path / "cpu.json"
    options = ["--kernels", "int8,adder", "--shape", "3x4x5", "--repetitions", "4", "-o", str(path)]
    shown = RUN.invoke(kernels, ["measure", *options])
    lines = {line.split()[0]: line.split() for line in shown.stdout.splitlines() if line.strip()}
    assert lines["int8"] == ["int8", "1.000", "1.500", "1.000", "3.00"]
    assert lines["adder"][:2] == ["adder", "crashed"]
    stored = json.loads(path.read_text())
    assert (stored["schema"], stored["device"], len(stored["timings"])) == ("hwsim/kernels/1", "cpu", 3)


def test_missing_tools_of_nvidia_name_the_extra(monkeypatch):
    monkeypatch.setattr(cubin.importlib.util, "find_spec", lambda name: None)
    words = r"^a kernel for GPUs needs nvidia-cuda-nvcc, which is not installed: pip install 'hwsim\[cuda\]'$"
    with pytest.raises(worker.MissingPackageError, match=words):
        cubin.compile_cuda("", "sm_90")
