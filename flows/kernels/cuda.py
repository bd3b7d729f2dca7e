"""The schedule for NVIDIA GPUs: tiles of 64 x 64 results, words of both operands in shared memory, 4 x 4 to a thread.

Weights are decoded once a tile, on their way to shared memory. Tensor cores are not used: shifts, additions and
distances have none, and the products by multiplication are here to compare with them instruction by instruction.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from flows.kernels.kernel import Kernel, Shape
from flows.kernels.product import Blocking, function

TILE, STEP, THREADS, OWN = 64, 16, 16, 4
"""Rows and columns of a block's tile, depth of a step, threads along each, results along each of a thread."""
_MAX_THREADS, _MAX_SHARED_BYTES = 1024, 49152  # what any GPU since 2010 has, without asking for more
_OUTSIDE = 7
"""Loops around what a step does: two of blocks, two of threads, two of one iteration, and the steps."""
_STEPS = re.compile(r"^(\s*)(for \(int ax4_0 )", re.MULTILINE)  # the outer loop over k, fifth axis of the sum


def target() -> Any:
    """Return TVM's target; the code is that of any architecture from the oldest here, which nvcc is told."""
    from tvm.target import Target

    limits = {"max_threads_per_block": _MAX_THREADS, "max_shared_memory_per_block": _MAX_SHARED_BYTES}
    return Target({"kind": "cuda", "arch": "sm_80", **limits})


def word(kernel: Kernel) -> str:
    """Return the type of words in shared memory: 32 bits, as registers have."""
    return "float32" if np.dtype(kernel.word).kind == "f" else "int32"


def grid(shape: Shape) -> tuple[int, int]:
    """Return how many blocks of threads there are, along rows of all batches and along columns."""
    return shape.batch * -(-shape.m // TILE), -(-shape.n // TILE)


def steps(shape: Shape) -> int:
    """Return how often the loop over k is taken."""
    return -(-shape.k // STEP)


def schedule(kernel: Kernel, shape: Shape) -> Any:
    """Return the scheduled module of a kernel."""
    from tvm import s_tir

    blocking = Blocking(rows=TILE, columns=TILE, depth=STEP, lanes=TILE, pairs=1, word=word(kernel))
    sch = s_tir.Schedule(function(kernel, shape, blocking))
    block, result = sch.get_sblock("sum"), sch.get_sblock("C")
    b, i, j = sch.get_loops(result)
    row_tile, row_thread, row = sch.split(i, [None, THREADS, OWN])
    column_tile, column_thread, column = sch.split(j, [None, THREADS, OWN])
    sch.reorder(b, row_tile, column_tile, row_thread, column_thread, row, column)
    bound = {
        "blockIdx.x": sch.fuse(b, row_tile), "blockIdx.y": column_tile,
        "threadIdx.y": row_thread, "threadIdx.x": column_thread,
    }  # fmt: skip
    for axis, loop in bound.items():
        sch.bind(loop, axis)
    for loop in (row, column):
        sch.unroll(loop)
    sch.compute_at(block, column_thread, preserve_unit_loops=True)
    sch.set_scope(block, 0, "local")
    b, row, column_block, column, ko, ki = sch.get_loops(block)[len(bound) :]
    step, depth = sch.split(ko, [None, STEP])
    sch.reorder(b, column_block, step, depth, ki, row, column)
    for name in [read.source.name for read in sch.get(block).reads if read.source.name.endswith("_words")]:
        _stage(sch, sch.get_sblock(name), step)
    for loop in (depth, row, column):
        sch.unroll(loop)
    sch.decompose_reduction(block, step)
    return sch.mod


def _stage(sch: Any, words: Any, step: Any) -> None:
    """Let all threads of a block together write the words of a step to shared memory."""
    sch.set_scope(words, 0, "shared")  # first: the words of all threads are needed, not of one
    sch.compute_at(words, step)
    own = sch.get_loops(words)[_OUTSIDE:]
    some, row_thread, column_thread = sch.split(sch.fuse(*own), [None, THREADS, THREADS])
    sch.bind(row_thread, "threadIdx.y")
    sch.bind(column_thread, "threadIdx.x")
    sch.unroll(some)


def source(kernel: Kernel, shape: Shape) -> str:
    """Return CUDA code. The loop over steps is kept a loop, so that its instructions can be counted."""
    import tvm

    code: str = tvm.compile(schedule(kernel, shape), target=target()).mod.imports[0].inspect_source()
    return _STEPS.sub(r"\1#pragma unroll 1\n\1\2", code)


def parameters(code: str) -> list[str]:
    """Return the operands of a kernel's pointers, in order: ``A``, ``C``, ``W0`` ..."""
    found = re.search(r"_kernel\(([^)]*)\)\s*\{", code)
    if found is None:
        raise ValueError("CUDA code has no kernel")
    names = re.findall(r"__restrict__ (\w+)", found[1])
    return [name.removesuffix("_ptr") for name in names]
