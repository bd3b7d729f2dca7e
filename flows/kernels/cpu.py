"""The schedule for CPUs: weights are prepared once a call, then tiles of rows and vectors stay in registers.

Where the CPU has AVX-512 and a term is a dot product of pairs, the innermost loops are that; elsewhere the lanes are
vectorised and LLVM picks the instructions.
"""

from __future__ import annotations

from typing import Any

from flows.kernels import dots
from flows.kernels.kernel import Kernel, Shape
from flows.kernels.product import Blocking, function

ROWS, VECTORS = 8, 2
"""Of a register tile: sixteen accumulators of the 32 registers."""


def target(cpu: str) -> Any:
    """Return TVM's target for a CPU by LLVM's name, the host's for ``native``.

    Raises
    ------
    ValueError
        If LLVM does not know it.
    """
    from tvm.target import Target, codegen

    name = codegen.llvm_get_system_cpu() if cpu == "native" else cpu
    found = Target({"kind": "llvm", "mcpu": name})
    if not codegen.llvm_is_valid_cpu(name, found.attrs.get("mtriple", codegen.llvm_get_system_triple())):
        raise ValueError(f"LLVM knows no CPU {name}")
    return found


def blocking(kernel: Kernel, *, dot: bool) -> Blocking:
    """Return the tile sizes, with pairs where dot products are used."""
    pairs = dots.PAIRS if dot else 1
    return Blocking(
        rows=ROWS, columns=VECTORS * dots.LANES, depth=pairs, lanes=dots.LANES, pairs=pairs, word=kernel.word
    )


def schedule(kernel: Kernel, shape: Shape, target: Any) -> Any:
    """Return the scheduled module of a kernel."""
    from tvm import s_tir
    from tvm.target import codegen

    dot = bool(kernel.dot) and codegen.target_has_features(dots.FEATURE, target)
    sch = s_tir.Schedule(function(kernel, shape, blocking(kernel, dot=dot)))
    block = sch.get_sblock("sum")
    b, i, jo, ji, ko, ki = sch.get_loops(block)
    row_tile, row = sch.split(i, [None, ROWS])
    column_tile, vector = sch.split(jo, [None, VECTORS])
    sch.reorder(b, column_tile, row_tile, ko, row, vector, *((ji, ki) if dot else (ki, ji)))
    sch.reverse_compute_at(sch.get_sblock("C"), row_tile, preserve_unit_loops=True)
    sch.set_scope(block, 0, "local")
    for loop in (row, vector):
        sch.unroll(loop)
    if not dot:
        sch.vectorize(ji)
    start = sch.decompose_reduction(block, ko)
    if dot:
        dots.register()
        sch.tensorize(ji, kernel.dot)
    *_, start_row, start_vector, start_lane = sch.get_loops(start)
    sch.unroll(start_row)
    sch.unroll(start_vector)
    sch.vectorize(start_lane)
    _, lanes = sch.split(sch.get_loops(sch.get_sblock("C"))[-1], [None, dots.LANES])
    sch.vectorize(lanes)
    for name in _prepared(sch):
        _, words = sch.split(sch.fuse(*sch.get_loops(sch.get_sblock(name))[-2:]), [None, dots.LANES])
        sch.vectorize(words)
    return sch.mod


def _prepared(sch: Any) -> list[str]:
    names = [block.name_hint for block in (sch.get(one) for one in sch.get_child_blocks(sch.get_sblock("root")))]
    return [name for name in names if name.startswith("W") and name.endswith("_words")]
