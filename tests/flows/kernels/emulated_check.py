"""Runs in a process with TVM: CUDA code of kernels, executed by g++ and a thread of this machine for each of the GPU's.

Arguments: folder, then kernels.
"""

import ctypes
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from flows.kernels import cuda
from flows.kernels.kernel import Shape
from flows.kernels.registry import find

SHAPE = Shape(batch=2, m=70, k=33, n=65)  # two tiles along both, three steps, all with tails
HARNESS = """
#include <barrier>
#include <cmath>
#include <thread>
#include <vector>
#define __global__
#define __shared__ static
#define uchar unsigned char
#define uint unsigned int
using std::abs;
struct Index { int x, y, z; };
static thread_local Index threadIdx;
static Index blockIdx;
static std::barrier<> all(THREADS * THREADS);
#define __syncthreads() all.arrive_and_wait()
KERNEL
extern "C" void launch(int columns, int rows, void** p) {
  for (blockIdx.y = 0; blockIdx.y < rows; ++blockIdx.y)
    for (blockIdx.x = 0; blockIdx.x < columns; ++blockIdx.x) {
      std::vector<std::thread> threads;
      for (int y = 0; y < THREADS; ++y)
        for (int x = 0; x < THREADS; ++x)
          threads.emplace_back([=] { threadIdx = {x, y, 0}; SYMBOL(ARGUMENTS); });
      for (auto& thread : threads) thread.join();
    }
}
"""


def check(name, folder):
    kernel = find(name)
    code = cuda.source(kernel, SHAPE)
    definition = re.search(r'extern "C" __global__ void [^;{]*\{.*', code, re.DOTALL)[0]
    definition = re.sub(r"__launch_bounds__\(\d+\)|alignas\(\d+\)", "", definition)
    symbol = re.search(r"(\w+_kernel)\(", definition)[1]
    types = [part.rpartition("__restrict__")[0] for part in definition.partition("(")[2].partition(")")[0].split(",")]
    arguments = ", ".join(f"({kind}) p[{index}]" for index, kind in enumerate(types))
    text = HARNESS.replace("KERNEL", definition).replace("SYMBOL", symbol).replace("ARGUMENTS", arguments)
    source, library = folder / f"{name}.cpp", folder / f"{name}.so"
    source.write_text(text.replace("THREADS", str(cuda.THREADS)))
    flags = ["-O1", "-std=c++20", "-fno-strict-aliasing", "-shared", "-fPIC", "-pthread"]
    subprocess.run(["g++", *flags, str(source), "-o", str(library)], check=True)
    a, stored = kernel.random(SHAPE, seed=0)
    arrays = {"A": a, **{f"W{index}": one for index, one in enumerate(stored)}}
    arrays["C"] = np.full((SHAPE.batch, SHAPE.m, SHAPE.n), 77, kernel.result)
    ordered = [np.ascontiguousarray(arrays[name]) for name in cuda.parameters(code)]
    pointers = (ctypes.c_void_p * len(ordered))(*(array.ctypes.data for array in ordered))
    ctypes.CDLL(str(library)).launch(*cuda.grid(SHAPE), pointers)
    kernel.check(ordered[cuda.parameters(code).index("C")], a, stored)


if __name__ == "__main__":
    sys.modules["torch"] = None  # or TVM imports it
    for kernel_name in sys.argv[2:]:
        check(kernel_name, Path(sys.argv[1]))
