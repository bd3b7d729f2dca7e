"""Kernels on this machine's CPU, each in a process of its own as users run them, against NumPy."""

import subprocess
import sys
from pathlib import Path

import pytest

from flows.kernels.kernel import Shape
from flows.kernels.registry import KERNELS, find
from flows.kernels.run import run
from flows.kernels.worker import KernelError, perform
from hwsim.errors import InputError

pytest.importorskip("tvm", reason="needs the extra tvm", exc_type=ImportError)
SHAPES = str(Path(__file__).with_name("shapes_check.py"))


@pytest.mark.parametrize("target", ["native", "x86-64"])
def test_all_kernels_equal_numpy_on_odd_shapes_and_batches(target):
    done = subprocess.run([sys.executable, SHAPES, target, *KERNELS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_matshift_reads_codes_of_hwsim_formats():
    kernel = find("matshift")
    a, stored = kernel.random(Shape(batch=2, m=5, k=7, n=3), seed=0)
    expected = a.astype(float) @ kernel.decode(stored, 7).swapaxes(1, 2)
    assert (run(kernel, a, stored) / 2**7 == expected).all()


def test_a_wide_product_of_int8_does_not_overflow_words():
    kernel = find("int8")
    a, (w,) = kernel.random(Shape(m=8, k=64, n=32), seed=0)
    a[:], w[:] = -128, -128
    assert (run(kernel, a, (w,)) == 64 * 128 * 128).all()


def test_dot_products_are_used_where_the_cpu_has_them():
    request = {"kernel": "matshift", "shape": Shape(m=16, k=8, n=32).model_dump()}
    with_them = perform("build", {**request, "cpu": "znver4"}).checked().data["assembly"]
    without = perform("build", {**request, "cpu": "x86-64"}).checked().data["assembly"]
    assert "vpdpwssd" in with_them
    assert "vpsllvw" in with_them
    assert "zmm" not in without


def test_operands_of_other_shapes_or_types_are_refused():
    kernel = find("matadd")
    a, stored = kernel.random(Shape(m=4, k=9, n=3), seed=0)
    with pytest.raises(InputError, match=r"^W0: must be uint8 of shape \(1, 3, 2\), not 'uint8 \(1, 3, 1\)'$"):
        run(kernel, a, (stored[0][..., :1],))
    with pytest.raises(InputError, match=r"^A: must be int8 of shape \(batch, m, k\), not 'float64 \(1, 4, 9\)'$"):
        run(kernel, a.astype(float), stored)


def test_an_unknown_cpu_is_a_failure_with_its_name():
    with pytest.raises(KernelError, match=r"^TVM failed: ValueError: LLVM knows no CPU abacus$"):
        perform("build", {"kernel": "int8", "shape": {"m": 1, "k": 1, "n": 1}, "cpu": "abacus"}).checked()
