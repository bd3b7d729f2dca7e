"""A folder to carry to a machine with a GPU: machine code, operands, and a runner that needs NumPy and the driver."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from flows.kernels import cuda
from flows.kernels.cubin import compile_cuda
from flows.kernels.gpu import GpuKernel, compile_for_gpus
from flows.kernels.kernel import Array, Kernel, Shape
from flows.kernels.microbenchmarks import MICROBENCHMARKS, SYMBOL, THREADS, Microbenchmark
from flows.kernels.static import throughput
from flows.kernels.worker import TIMEOUT_S
from hwsim.errors import InputError
from hwsim.files import write_bytes, write_text

RUNNER = Path(__file__).with_name("pack_runner.py")
MANIFEST, MEASURE = "manifest.json", "measure.py"
_CHECKED_ROWS = 16
"""Rows of a result, from either end, that the runner compares."""
_PACKAGES = ("apache-tvm", "apache-tvm-ffi", "nvidia-cuda-nvcc", "numpy")

Progress = Callable[[int, int], None]


def pack(
    kernels: Sequence[Kernel],
    shapes: Sequence[Shape],
    archs: Sequence[str],
    folder: Path,
    timeout_s: float = TIMEOUT_S,
    progress: Progress | None = None,
) -> list[Path]:
    """Write every kernel in every shape for every architecture into ``folder``; return the files.

    Raises
    ------
    InputError
        If an architecture is not known.
    KernelError
        If a compiler fails, crashes or takes too long.
    MissingPackageError
        If TVM or NVIDIA's tools are not installed.
    """
    for arch in archs:
        if arch not in throughput().architectures:
            raise InputError(f"must be one of {', '.join(throughput().architectures)}", field="arch", value=arch)
    files, entries = [], []
    jobs = [(kernel, shape) for kernel in kernels for shape in shapes]
    for done, (kernel, shape) in enumerate(jobs, start=1):
        built = compile_for_gpus(kernel, shape, archs, timeout_s)
        for arch, cubin in built.cubins.items():
            files.append(write_bytes(folder / _cubin(kernel, shape, arch), cubin.content))
        files.append(write_bytes(folder / f"{kernel.name}-{shape}.npz", _operands(kernel, shape)))
        entries.append(_entry(built))
        if progress:
            progress(done, len(jobs))
    stressing = [_stressing(one, archs, folder, timeout_s) for one in MICROBENCHMARKS]
    files += [path for _, paths in stressing for path in paths]
    manifest = {
        "schema": "hwsim/kernel-pack/1", "archs": list(archs), "versions": {name: version(name) for name in _PACKAGES},
        "kernels": entries, "microbenchmarks": [entry for entry, _ in stressing],
    }  # fmt: skip
    files.append(write_text(folder / MANIFEST, json.dumps(manifest, indent=1) + "\n"))
    files.append(write_text(folder / MEASURE, RUNNER.read_text(encoding="utf-8")))
    return files


def _cubin(kernel: Kernel, shape: Shape, arch: str) -> str:
    return f"{kernel.name}-{shape}-{arch}.cubin"


def _entry(built: GpuKernel) -> dict[str, Any]:
    kernel, shape = built.kernel, built.shape
    return {
        "kernel": kernel.name, "primitive": kernel.primitive, "formats": list(kernel.formats),
        **shape.model_dump(), "symbol": built.symbol, "parameters": list(built.parameters),
        "grid": [*cuda.grid(shape), 1], "block": [cuda.THREADS, cuda.THREADS, 1], "result": kernel.result,
        "operands": f"{kernel.name}-{shape}.npz", "checked_rows": _checked(shape).tolist(),
        "source_sha256": hashlib.sha256(built.source.encode()).hexdigest(),
        "cubins": {
            arch: {
                "file": _cubin(kernel, shape, arch), "registers": cubin.registers, "shared_bytes": cubin.shared_bytes,
                "sha256": hashlib.sha256(cubin.content).hexdigest(),
            }
            for arch, cubin in built.cubins.items()
        },
    }  # fmt: skip


def _stressing(
    one: Microbenchmark, archs: Sequence[str], folder: Path, timeout_s: float
) -> tuple[dict[str, Any], list[Path]]:
    """Compile a microbenchmark; return its entry and its files."""
    names = {arch: f"{one.name}-{arch}.cubin" for arch in archs}
    entry = {
        "name": one.name, "opcode": one.opcode, "unit": one.unit, "per_thread": one.per_thread,
        "in_buffer": one.in_buffer, "buffer_bytes": one.buffer_bytes, "threads": THREADS,
        "blocks_per_multiprocessor": one.blocks_per_multiprocessor, "symbol": SYMBOL, "cubins": names,
        "source_sha256": hashlib.sha256(one.code.encode()).hexdigest(),
    }  # fmt: skip
    cubins = {arch: compile_cuda(one.code, arch, timeout_s) for arch in archs}
    return entry, [write_bytes(folder / names[arch], cubin.content) for arch, cubin in cubins.items()]


def _checked(shape: Shape) -> Array:
    """Indices of the rows that are compared."""
    rows = np.arange(shape.m)
    return np.unique(np.concatenate([rows[:_CHECKED_ROWS], rows[-_CHECKED_ROWS:]]))


def _operands(kernel: Kernel, shape: Shape) -> bytes:
    """A, W0 ... and the expected rows of C, as an .npz file that is the same every time."""
    a, stored = kernel.random(shape, seed=0)
    expected = kernel.reference(a[:, _checked(shape)], stored)
    content = io.BytesIO()
    weights = {f"W{index}": array for index, array in enumerate(stored)}
    arrays: dict[str, Any] = {"A": a, **weights, "expected": expected}
    np.savez_compressed(content, **arrays)
    return content.getvalue()
