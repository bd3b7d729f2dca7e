"""Kernels for GPUs: compiled by nvcc and counted; their CUDA code executed by threads of a CPU, equal to NumPy."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows.kernels.build import build
from flows.kernels.gpu import compile_for_gpus
from flows.kernels.kernel import Shape
from flows.kernels.registry import KERNELS, find
from flows.kernels.sass import executed

pytest.importorskip("tvm", reason="needs the extra tvm", exc_type=ImportError)
nvidia = pytest.mark.skipif(importlib.util.find_spec("nvidia") is None, reason="needs the extra cuda")
ROOT = Path(__file__).parents[3]
SHAPE = Shape(batch=2, m=70, k=33, n=65)


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_cuda_code_equals_numpy_with_batches_and_tails(tmp_path):
    names = [name for name in KERNELS if name != "fp16"]  # g++ 12 has no half
    command = [sys.executable, "-m", "tests.flows.kernels.emulated_check", str(tmp_path), *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@nvidia
def test_matshift_shifts_once_a_term_and_keeps_one_loop():
    built = compile_for_gpus(find("matshift"), Shape(m=64, k=64, n=64), ["sm_80", "sm_90"])
    assert built.parameters == ("A", "C", "W0")
    for cubin in built.cubins.values():
        counts = executed(cubin.listing, steps=4)
        per_thread = 16 * 64  # terms
        assert per_thread <= counts["SHF"] <= 1.1 * per_thread
        assert cubin.spilled_bytes == 0
        assert cubin.shared_bytes == 4 * 16 * (64 + 2 * 64)


@nvidia
def test_odd_sizes_compile_and_are_scored(tmp_path):
    files = build(find("fp16"), SHAPE, "h100-sxm", tmp_path)
    assert [path.name for path in files] == [f"fp16-{SHAPE}.{end}" for end in ("cu", "cubin", "sass", "json")]
    assert (tmp_path / f"fp16-{SHAPE}.cubin").read_bytes()[:4] == b"\x7fELF"
