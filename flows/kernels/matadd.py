"""MatAdd: one operand is binary, a term adds or leaves out (``bin01``), or adds or subtracts (``bin``).

The packed kernels read eight codes a byte and int8 values. `PUBLISHED` is the kernel of ShiftAddViT's repository:
values are fp32, and so is the mask: what it is above zero for is added. In attention, ``K^T V`` has the values as A,
transposed (features x tokens), and the codes of the keys as W (bits x tokens).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flows.kernels.kernel import Array, Expression, Kernel, Stored
from flows.kernels.packing import pack, unpack


def _bit(stored: tuple[Any, ...], b: Expression, n: Expression, k: Expression) -> Expression:
    from tvm import tirx

    bit = (stored[0][b, n, k // 8] >> (k % 8).astype("uint8")) & tirx.const(1, "uint8")
    return bit.astype("int8")


def _sign(stored: tuple[Any, ...], b: Expression, n: Expression, k: Expression) -> Expression:
    from tvm import tirx

    one = tirx.const(1, "int8")
    return one - (_bit(stored, b, n, k) << one)


def _masked(a: Expression, mask: Expression) -> Expression:
    from tvm import tirx

    return tirx.Select(mask > tirx.const(0, "float32"), a, tirx.const(0, "float32"))


def _packed(name: str, title: str, form: str, plane: Any) -> Kernel:
    values = (1, -1) if form == "bin" else (0, 1)
    return Kernel(
        name=name, title=title, activation="int8", result="int32", word="int16", weights=(Stored("uint8", 8),),
        primitive="binary_add", formats=("int8", form), draw=lambda rng, shape: rng.choice(values, shape),
        encode=lambda w: (pack(w, form),), decode=lambda stored, k: unpack(stored[0], form, k),
        exact=lambda a, w: a.astype(np.int64) @ w.swapaxes(1, 2), planes=lambda *place: (plane(*place),),
        term=lambda a, w: a.astype("int32") * w.astype("int32"), dot="pair_dot",
    )  # fmt: skip


def _exact_masked(a: Array, mask: Array) -> Array:
    return a.astype(np.float64) @ (mask > 0).astype(np.float64).swapaxes(1, 2)


PACKED = _packed("matadd", "MatAdd, eight {0, 1} weights a byte", "bin01", _bit)
SIGNED = _packed("matadd-signed", "MatAdd, eight {-1, 1} weights a byte", "bin", _sign)
PUBLISHED = Kernel(
    name="matadd-published", title="MatAdd as published: fp32, fp32 mask", activation="float32", result="float32",
    word="float32", weights=(Stored("float32"),), primitive="binary_add", formats=("fp32", "bin01"),
    draw=lambda rng, shape: rng.integers(0, 2, shape).astype(np.float32),
    encode=lambda w: (w.astype(np.float32),), decode=lambda stored, k: stored[0], exact=_exact_masked,
    planes=lambda stored, b, n, k: (stored[0][b, n, k],), term=_masked,
)  # fmt: skip
