# ruff: noqa: N802 (functions of the driver)
"""The folder for GPU machines: its runner computes with a driver made of NumPy what a GPU would."""

import ctypes
import importlib.util
import json
import sys

import numpy as np
import pytest

from flows.kernels import pack as packing
from flows.kernels.cubin import Cubin
from flows.kernels.gpu import GpuKernel
from flows.kernels.kernel import Shape
from flows.kernels.microbenchmarks import MICROBENCHMARKS, SYMBOL, THREADS
from flows.kernels.pack import pack
from flows.kernels.registry import find
from hwsim.errors import InputError
from hwsim.files import read_model
from hwsim.gpu.measured import Measurements

SHAPE = Shape(m=40, k=9, n=5)
KERNELS = [find("matshift"), find("fp32")]
STRESSING = 9


class Driver:
    """libcuda and NVML: device memory is host memory, a kernel is the reference, a launch takes a millisecond."""

    def __init__(self, folder, wrong=0):
        self.folder, self.wrong, self.memory, self.clock_s, self.launches = folder, wrong, [], 0.0, 0
        self.capturing, self.captured = False, []

    def __getattr__(self, name):
        if not name.startswith(("cu", "nvml")):
            raise AttributeError(name)
        return lambda *_: 0

    def cuDeviceGetAttribute(self, value, attribute, _):
        value._obj.value = {16: 4, 75: 9, 76: 0}[attribute]
        return 0

    def cuDriverGetVersion(self, value):
        value._obj.value = 13020
        return 0

    def cuDeviceGetName(self, name, *_):
        name.value = b"NumPy 1000"
        return 0

    def cuModuleLoadData(self, module, cubin):
        name = cubin.decode()
        module._obj.value = STRESSING if name == "stressing" else KERNELS.index(find(name)) + 1
        return 0

    def cuModuleGetFunction(self, function, module, symbol):
        stressing = module.value == STRESSING
        assert symbol.decode() == (SYMBOL if stressing else f"{KERNELS[module.value - 1].name}_kernel")
        function._obj.value = module.value
        return 0

    def cuMemAlloc_v2(self, pointer, size):
        self.memory.append(ctypes.create_string_buffer(size.value))
        pointer._obj.value = ctypes.addressof(self.memory[-1])
        return 0

    def cuMemcpyHtoD_v2(self, pointer, array, size):
        ctypes.memmove(pointer.value, array.value, size.value)
        return 0

    def cuMemcpyDtoH_v2(self, array, pointer, size):
        ctypes.memmove(array.value, pointer.value, size.value)
        return 0

    def cuStreamBeginCapture_v2(self, stream, mode):
        self.capturing, self.captured = True, []
        return 0

    def cuStreamEndCapture(self, stream, graph):
        self.capturing = False
        return 0

    def cuGraphLaunch(self, ready, stream):
        return max(self.cuLaunchKernel(*arguments) for arguments in self.captured)

    def cuLaunchKernel(self, function, *arguments):
        if self.capturing:
            self.captured.append((function, *arguments))
            return 0
        self.launches += 1
        self.clock_s += 0.001
        if function.value == STRESSING:
            assert arguments[1:6] == (1, 1, THREADS, 1, 1)
            assert arguments[0] in {4 * one.blocks_per_multiprocessor for one in MICROBENCHMARKS}
            return 0
        assert arguments[:6] == (1, 1, 1, 16, 16, 1)
        kernel = KERNELS[function.value - 1]
        parameters = arguments[8]
        addresses = [ctypes.cast(one, ctypes.POINTER(ctypes.c_uint64)).contents.value for one in parameters]
        a, stored = kernel.random(SHAPE, seed=0)
        result = kernel.reference(a, stored) + np.asarray(self.wrong, kernel.result)
        ctypes.memmove(addresses[1], result.ctypes.data, result.nbytes)
        held = np.frombuffer(ctypes.string_at(addresses[0], a.nbytes), a.dtype).reshape(a.shape)
        assert (held == a).all()
        return 0

    def cuEventRecord(self, event, _):
        event.value = round(self.clock_s * 1e6) + 1
        return 0

    def cuEventElapsedTime(self, elapsed, start, end):
        elapsed._obj.value = (end.value - start.value) * 1e-3
        return 0

    def nvmlDeviceGetTotalEnergyConsumption(self, _, millijoules):
        millijoules._obj.value = 300 * self.launches
        return 0

    def nvmlDeviceGetClockInfo(self, _, which, clock):
        assert which == 1
        clock._obj.value = 1755
        return 0

    def nvmlDeviceGetEnforcedPowerLimit(self, _, milliwatts):
        milliwatts._obj.value = 700_000
        return 0

    def nvmlSystemGetDriverVersion(self, text, _):
        text.value = b"580.0"
        return 0


@pytest.fixture
def folder(tmp_path, monkeypatch):
    def compiled(kernel, shape, archs, timeout_s):
        cubins = {arch: Cubin(kernel.name.encode(), 64, 12288, 0, "") for arch in archs}
        return GpuKernel(kernel, shape, "code", f"{kernel.name}_kernel", ("A", "C", "W0"), cubins)

    monkeypatch.setattr(packing, "compile_for_gpus", compiled)
    stressing = Cubin(b"stressing", 32, 0, 0, "")
    monkeypatch.setattr(packing, "compile_cuda", lambda code, arch, timeout_s: stressing)
    monkeypatch.setattr(packing, "version", lambda name: "1")
    pack(KERNELS, [SHAPE], ["sm_90"], tmp_path)
    return tmp_path


@pytest.fixture
def runner(folder, monkeypatch):
    spec = importlib.util.spec_from_file_location("measure", folder / "measure.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, value in (("ENERGY_S", 0.01), ("SAMPLES", 3), ("SAMPLE_S", 0.002)):
        monkeypatch.setattr(module, name, value)
    return module


def drive(runner, folder, monkeypatch, wrong=0):
    driver = Driver(folder, wrong)
    monkeypatch.setattr(runner.ctypes, "CDLL", lambda name: driver)
    monkeypatch.setattr(sys, "argv", ["measure.py", "h100-sxm", "-o", str(folder / "h100.json")])
    runner.main()
    return read_model(folder / "h100.json", Measurements)


def test_the_runner_checks_times_and_counts_energy(runner, folder, monkeypatch):
    found = drive(runner, folder, monkeypatch)
    assert (found.device, found.device_name) == ("h100-sxm", "NumPy 1000")
    assert found.versions["driver"] == "580.0"
    assert found.versions["driver's CUDA"] == "13.2"
    for timing, kernel in zip(found.timings, KERNELS, strict=True):
        assert (timing.kernel, timing.status, timing.shape) == (kernel.name, "ok", "40x9x5")
        assert timing.median_s == pytest.approx(1e-3)
        assert timing.energy_j == pytest.approx(0.3)
        assert timing.clock_mhz == 1755


def test_the_parts_of_a_board_are_measured(runner, folder, monkeypatch):
    found = drive(runner, folder, monkeypatch)
    assert found.conditions.startswith("sm_90; 4 multiprocessors, limit 700 W;")
    assert found.idle_w == 0
    assert [part.name for part in found.parts] == [one.name for one in MICROBENCHMARKS]
    for part, one in zip(found.parts, MICROBENCHMARKS, strict=True):
        assert part.amount == one.in_buffer + 4 * one.blocks_per_multiprocessor * THREADS * one.per_thread
        assert part.power_w == pytest.approx(300)


def test_a_wrong_result_is_not_timed(runner, folder, monkeypatch):
    found = drive(runner, folder, monkeypatch, wrong=1)
    assert [timing.status for timing in found.timings] == ["failed", "failed"]
    assert found.timings[0].detail.startswith("differs by")
    assert found.timings[0].median_s is None


def test_a_failing_driver_is_named(runner, folder):
    driver = Driver(folder)
    driver.cuInit = lambda flags: 100
    with pytest.raises(RuntimeError, match=r"^cuInit returned 100$"):
        runner.Gpu(driver)


def test_another_architecture_has_no_machine_code(runner, folder):
    entry = json.loads((folder / "manifest.json").read_text())["kernels"][0]
    gpu = runner.Gpu(Driver(folder))
    gpu.arch = "sm_120"
    row = runner.measure(entry, folder, gpu, None)
    assert (row["status"], row["detail"]) == ("failed", "no machine code for sm_120")


def test_the_runner_needs_numpy_alone(folder):
    names = {line.split()[1].split(".")[0] for line in (folder / "measure.py").read_text().splitlines()
             if line.startswith(("import ", "from "))}  # fmt: skip
    assert names - set(sys.stdlib_module_names) == {"numpy"}


def test_unknown_architectures_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"^arch: must be one of sm_80, sm_86, sm_89, sm_90, not 'sm_1'$"):
        pack(KERNELS, [SHAPE], ["sm_1"], tmp_path)
