"""NVIDIA's compiler and disassembler, from their wheels: they need no GPU."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from flows.kernels.worker import TIMEOUT_S, KernelError
from hwsim.errors import MissingPackageError

_USED = re.compile(r"Used (\d+) registers")
_SHARED = re.compile(r"(\d+) bytes smem")
_SPILLED = re.compile(r"(\d+) bytes spill stores")


@dataclass(frozen=True)
class Cubin:
    """Machine code of one kernel, with what it occupies.

    Attributes
    ----------
    content
        Of the file.
    registers
        Of a thread.
    shared_bytes
        Of a block.
    spilled_bytes
        That a thread stores because registers do not suffice.
    listing
        The instructions, as nvdisasm prints them.
    """

    content: bytes
    registers: int
    shared_bytes: int
    spilled_bytes: int
    listing: str


def compile_cuda(code: str, arch: str, timeout_s: float = TIMEOUT_S) -> Cubin:
    """Compile CUDA ``code`` of one kernel for ``arch``, such as ``sm_90``.

    Raises
    ------
    MissingPackageError
        If nvcc or nvdisasm is not installed.
    KernelError
        If either fails or takes too long.
    """
    nvcc, nvdisasm = (_tool(name) for name in ("nvcc", "nvdisasm"))
    with tempfile.TemporaryDirectory(prefix="hwsim-cuda-") as name:
        source, binary = Path(name) / "kernel.cu", Path(name) / "kernel.cubin"
        source.write_text(code, encoding="utf-8")
        flags = ["-cubin", f"-arch={arch}", "-O3", "-w", "-Xptxas", "-v", "-o", str(binary)]
        words = _run([str(nvcc), *flags, str(source)], timeout_s)
        used, shared, spilled = (pattern.search(words) for pattern in (_USED, _SHARED, _SPILLED))
        if used is None or spilled is None:
            raise KernelError(f"nvcc does not say what the kernel occupies: {words.strip()[-200:]}")
        return Cubin(
            binary.read_bytes(), int(used[1]), int(shared[1]) if shared else 0, int(spilled[1]),
            _run([str(nvdisasm), str(binary)], timeout_s),
        )  # fmt: skip


def _tool(name: str) -> Path:
    # the wheels share the namespace package nvidia.cu13
    spec = importlib.util.find_spec("nvidia")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(folder).glob(f"cu*/bin/{name}")):
            return path
    raise MissingPackageError(f"nvidia-cuda-{name}", "a kernel for GPUs", "cuda")


def _run(command: list[str], timeout_s: float) -> str:
    program = Path(command[0])
    # nvcc finds its own headers beside itself; CUDA_PATH would send it elsewhere
    environment = {name: value for name, value in os.environ.items() if name != "CUDA_PATH"}
    try:
        done = subprocess.run(  # noqa: S603 (a program of an installed wheel)
            command, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise KernelError(f"{program.name} took more than {timeout_s:g} s") from error
    if done.returncode:
        words = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise KernelError(f"{program.name} failed: {words[0] if words else f'status {done.returncode}'}")
    return done.stdout + done.stderr
