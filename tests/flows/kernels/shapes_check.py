"""Runs in a process with TVM: kernels on drawn shapes, equal to NumPy. Arguments: target, then kernels."""

import sys

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.kernels import cpu
from flows.kernels.kernel import Shape
from flows.kernels.registry import find

EXAMPLES = 3
SIZES = st.integers(1, 40)


def check(name, target):
    import tvm

    kernel = find(name)

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
    @given(st.builds(Shape, batch=st.integers(1, 3), m=SIZES, k=SIZES, n=SIZES))
    def equal(shape):
        a, stored = kernel.random(shape, seed=1)
        compiled = tvm.compile(cpu.schedule(kernel, shape, cpu.target(target)), target=cpu.target(target))
        result = np.full((shape.batch, shape.m, shape.n), 77, kernel.result)
        tensors = [tvm.runtime.tensor(array) for array in (a, *stored, result)]
        compiled[name.replace("-", "_")](*tensors)
        kernel.check(tensors[-1].numpy(), a, stored)

    equal()


if __name__ == "__main__":
    sys.modules["torch"] = None  # or TVM imports it
    for kernel_name in sys.argv[2:]:
        check(kernel_name, sys.argv[1])
