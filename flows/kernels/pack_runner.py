"""Measure the kernels of this folder on this machine's GPU: ``python measure.py DEVICE -o RESULT.json``.

Needs NumPy and NVIDIA's driver, nothing else: libcuda and libnvidia-ml are called directly. DEVICE is the name of
hwsim's preset (h100-sxm, h200 ...). Every kernel is checked against expected rows, then timed with events in 20
samples, each long enough to be timed well, and run for two seconds between readings of the board's energy counter. So
is every microbenchmark, and the board without work.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SAMPLES, SAMPLE_S, ENERGY_S = 20, 0.01, 2.0
MOST_LAUNCHES = 2000
"""Of a sample."""
FLOAT_ERROR = 1e-5
_SM_CLOCK = 1  # NVML_CLOCK_SM
_NON_BLOCKING, _THREAD_LOCAL = 1, 1  # CU_STREAM_NON_BLOCKING, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
_MULTIPROCESSORS, _MAJOR, _MINOR = 16, 75, 76  # CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, _COMPUTE_CAPABILITY_*


class Gpu:
    """The first GPU, through the driver."""

    def __init__(self, cuda: Any = None) -> None:
        self._cuda = cuda or ctypes.CDLL("libcuda.so.1")
        self._call("cuInit", 0)
        device, context = ctypes.c_int(), ctypes.c_void_p()
        self._call("cuDeviceGet", ctypes.byref(device), 0)
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self._call("cuCtxSetCurrent", context)
        self._stream = ctypes.c_void_p()
        self._call("cuStreamCreate", ctypes.byref(self._stream), _NON_BLOCKING)
        self.arch = f"sm_{self._attribute(_MAJOR, device)}{self._attribute(_MINOR, device)}"
        self.multiprocessors = self._attribute(_MULTIPROCESSORS, device)
        name = ctypes.create_string_buffer(128)
        self._call("cuDeviceGetName", name, len(name), device)
        self.name = name.value.decode()
        number = ctypes.c_int()
        self._call("cuDriverGetVersion", ctypes.byref(number))
        self.driver_cuda = f"{number.value // 1000}.{number.value % 1000 // 10}"

    def _call(self, function: str, *arguments: Any) -> None:
        status = getattr(self._cuda, function)(*arguments)
        if status:
            raise RuntimeError(f"{function} returned {status}")

    def _attribute(self, attribute: int, device: ctypes.c_int) -> int:
        value = ctypes.c_int()
        self._call("cuDeviceGetAttribute", ctypes.byref(value), attribute, device)
        return value.value

    def function(self, cubin: bytes, symbol: str) -> ctypes.c_void_p:
        """Load a kernel."""
        module, function = ctypes.c_void_p(), ctypes.c_void_p()
        self._call("cuModuleLoadData", ctypes.byref(module), cubin)
        self._call("cuModuleGetFunction", ctypes.byref(function), module, symbol.encode())
        return function

    def allocate(self, size: int) -> ctypes.c_uint64:
        """Take memory of the GPU, in bytes; it is kept until the process ends."""
        pointer = ctypes.c_uint64()
        self._call("cuMemAlloc_v2", ctypes.byref(pointer), ctypes.c_size_t(size))
        return pointer

    def upload(self, array: np.ndarray) -> ctypes.c_uint64:
        """Copy an array to the GPU; it stays there until the process ends."""
        array = np.ascontiguousarray(array)
        pointer = self.allocate(array.nbytes)
        self._call("cuMemcpyHtoD_v2", pointer, ctypes.c_void_p(array.ctypes.data), ctypes.c_size_t(array.nbytes))
        return pointer

    def download(self, pointer: ctypes.c_uint64, like: np.ndarray) -> np.ndarray:
        """Copy an array back."""
        array = np.empty_like(like)
        self._call("cuMemcpyDtoH_v2", ctypes.c_void_p(array.ctypes.data), pointer, ctypes.c_size_t(array.nbytes))
        return array

    def launcher(
        self, function: ctypes.c_void_p, grid: list[int], block: list[int], arguments: list[ctypes.c_uint64]
    ) -> Callable[[], None]:
        """Return what launches a kernel once."""
        parameters = (ctypes.c_void_p * len(arguments))(*(ctypes.addressof(argument) for argument in arguments))

        def launch() -> None:
            self._call("cuLaunchKernel", function, *grid, *block, 0, self._stream, parameters, ctypes.c_void_p())

        return launch

    def repeated(self, launch: Callable[[], None], times: int) -> Callable[[], None]:
        """Return what launches a kernel ``times`` times as one graph, so that none waits for this program."""
        graph, ready = ctypes.c_void_p(), ctypes.c_void_p()
        self._call("cuStreamBeginCapture_v2", self._stream, _THREAD_LOCAL)
        for _ in range(times):
            launch()
        self._call("cuStreamEndCapture", self._stream, ctypes.byref(graph))
        self._call("cuGraphInstantiateWithFlags", ctypes.byref(ready), graph, ctypes.c_ulonglong(0))
        return lambda: self._call("cuGraphLaunch", ready, self._stream)

    def wait(self) -> None:
        """Return when everything is done."""
        self._call("cuCtxSynchronize")

    def seconds(self, run: Callable[[], None], times: int = 1) -> float:
        """Time ``times`` runs, one after another, with events."""
        start, end, elapsed = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_float()
        for event in (start, end):
            self._call("cuEventCreate", ctypes.byref(event), 0)
        self._call("cuEventRecord", start, self._stream)
        for _ in range(times):
            run()
        self._call("cuEventRecord", end, self._stream)
        self._call("cuEventSynchronize", end)
        self._call("cuEventElapsedTime", ctypes.byref(elapsed), start, end)
        for event in (start, end):
            self._call("cuEventDestroy_v2", event)
        return elapsed.value * 1e-3


class Nvml:
    """Energy counter, clock and driver version of the first GPU."""

    def __init__(self, library: Any = None) -> None:
        self._nvml = library or ctypes.CDLL("libnvidia-ml.so.1")
        self._device = ctypes.c_void_p()
        self._call("nvmlInit_v2")
        self._call("nvmlDeviceGetHandleByIndex_v2", 0, ctypes.byref(self._device))

    def _call(self, function: str, *arguments: Any) -> None:
        status = getattr(self._nvml, function)(*arguments)
        if status:
            raise RuntimeError(f"{function} returned {status}")

    def energy_j(self) -> float:
        """Joules since the driver was loaded, in steps of a millijoule that come every 20 to 100 ms."""
        millijoules = ctypes.c_ulonglong()
        self._call("nvmlDeviceGetTotalEnergyConsumption", self._device, ctypes.byref(millijoules))
        return millijoules.value * 1e-3

    def clock_mhz(self) -> float:
        """Clock of the multiprocessors."""
        clock = ctypes.c_uint()
        self._call("nvmlDeviceGetClockInfo", self._device, _SM_CLOCK, ctypes.byref(clock))
        return float(clock.value)

    def limit_w(self) -> float:
        """Power limit of the board."""
        milliwatts = ctypes.c_uint()
        self._call("nvmlDeviceGetEnforcedPowerLimit", self._device, ctypes.byref(milliwatts))
        return milliwatts.value * 1e-3

    def driver(self) -> str:
        """Version of the driver."""
        text = ctypes.create_string_buffer(96)
        self._call("nvmlSystemGetDriverVersion", text, len(text))
        return text.value.decode()


def measure(entry: dict[str, Any], folder: Path, gpu: Gpu, nvml: Nvml) -> dict[str, Any]:
    """Check and time one kernel of the manifest."""
    keys = ("kernel", "primitive", "formats", "batch", "m", "k", "n")
    row = {key: entry[key] for key in keys}
    if gpu.arch not in entry["cubins"]:
        return {**row, "status": "failed", "detail": f"no machine code for {gpu.arch}"}
    with np.load(folder / entry["operands"]) as stored:
        arrays = dict(stored)
    expected = arrays.pop("expected")
    result = np.zeros((entry["batch"], entry["m"], entry["n"]), entry["result"])
    pointers = {name: gpu.upload(array) for name, array in {**arrays, "C": result}.items()}
    function = gpu.function((folder / entry["cubins"][gpu.arch]["file"]).read_bytes(), entry["symbol"])
    ordered = [pointers[name] for name in entry["parameters"]]
    launch = gpu.launcher(function, entry["grid"], entry["block"], ordered)
    launch()
    gpu.wait()
    found = gpu.download(pointers["C"], result)[:, entry["checked_rows"]]
    error = _error(found, expected)
    if error > (0 if entry["result"] == "int32" else FLOAT_ERROR):
        return {**row, "status": "failed", "detail": f"differs by {error:.2g} of the largest result", "error": error}
    return {**row, "status": "ok", "error": error, **_timed(launch, gpu, nvml)}


def _error(found: np.ndarray, expected: np.ndarray) -> float:
    scale = max(1.0, float(np.abs(expected.astype(np.float64)).max()))
    return float(np.abs(found.astype(np.float64) - expected.astype(np.float64)).max()) / scale


def _timed(launch: Callable[[], None], gpu: Gpu, nvml: Nvml) -> dict[str, Any]:
    times = min(MOST_LAUNCHES, max(1, round(SAMPLE_S / (gpu.seconds(launch, 10) / 10))))
    run = gpu.repeated(launch, times)
    seconds = np.array([gpu.seconds(run) / times for _ in range(SAMPLES)])
    lower, median, upper = (float(value) for value in np.quantile(seconds, (0.25, 0.5, 0.75)))
    launches, start_j, start, clocks = 0, nvml.energy_j(), time.perf_counter(), []
    while time.perf_counter() - start < ENERGY_S:
        gpu.seconds(run)
        launches += times
        clocks.append(nvml.clock_mhz())
    energy_j = (nvml.energy_j() - start_j) / launches
    return {
        "repetitions": SAMPLES * times, "best_s": float(seconds.min()), "lower_quartile_s": lower, "median_s": median,
        "upper_quartile_s": upper, "energy_j": energy_j, "clock_mhz": float(np.median(clocks)),
    }  # fmt: skip


def stress(entry: dict[str, Any], folder: Path, gpu: Gpu, nvml: Nvml, buffer: ctypes.c_uint64) -> dict[str, Any]:
    """Time one microbenchmark of the manifest."""
    row = {key: entry[key] for key in ("name", "opcode", "unit")}
    function = gpu.function((folder / entry["cubins"][gpu.arch]).read_bytes(), entry["symbol"])
    blocks = entry["blocks_per_multiprocessor"] * gpu.multiprocessors
    words = ctypes.c_uint64(entry["buffer_bytes"] // 16)
    launch = gpu.launcher(function, [blocks, 1, 1], [entry["threads"], 1, 1], [buffer, words])
    amount = entry["in_buffer"] + entry["per_thread"] * blocks * entry["threads"]
    return {**row, "amount": amount, **_timed(launch, gpu, nvml)}


def idle_w(nvml: Nvml) -> float:
    """Power with a context and nothing to do."""
    time.sleep(ENERGY_S)
    start_j, start = nvml.energy_j(), time.perf_counter()
    time.sleep(ENERGY_S)
    return (nvml.energy_j() - start_j) / (time.perf_counter() - start)


def main() -> None:
    """Measure everything in this folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("device", help="hwsim's name of this GPU, such as h100-sxm")
    parser.add_argument("-o", "--output", type=Path, required=True, help="file for the results, .json")
    given = parser.parse_args()
    folder = Path(__file__).parent
    manifest = json.loads((folder / "manifest.json").read_text())
    gpu, nvml = Gpu(), Nvml()
    idle = idle_w(nvml)
    print(f"{gpu.name}: idle at {idle:.1f} W", flush=True)
    buffer = gpu.allocate(max([16, *(entry["buffer_bytes"] for entry in manifest["microbenchmarks"])]))
    parts = []
    for entry in manifest["microbenchmarks"] if gpu.arch in manifest["archs"] else ():
        parts.append(stress(entry, folder, gpu, nvml, buffer))
        print(json.dumps(parts[-1]), flush=True)
    timings = []
    for entry in manifest["kernels"]:
        timings.append(measure(entry, folder, gpu, nvml))
        print(json.dumps(timings[-1]), flush=True)
    versions = {
        **manifest["versions"], "numpy": np.__version__, "python": platform.python_version(),
        "driver": nvml.driver(), "driver's CUDA": gpu.driver_cuda,
    }  # fmt: skip
    limit = f"{gpu.multiprocessors} multiprocessors, limit {nvml.limit_w():g} W"
    result = {
        "schema": "hwsim/kernels/1", "device": given.device, "device_name": gpu.name, "date": time.strftime("%Y-%m-%d"),
        "versions": versions, "timings": timings, "parts": parts, "idle_w": idle,
        "conditions": f"{gpu.arch}; {limit}; {SAMPLES} samples of {SAMPLE_S} s; energy of {ENERGY_S} s",
    }  # fmt: skip
    given.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
