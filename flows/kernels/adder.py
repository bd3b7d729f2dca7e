"""The product of AdderNet: a term is the negated distance of activation and weight, both int8."""

from __future__ import annotations

import numpy as np

from flows.kernels.kernel import Array, Expression, Kernel, Stored, summed


def _distance(a: Expression, w: Expression) -> Expression:
    from tvm import tirx

    return -tirx.abs((a - w).astype("int32"))


def _exact(a: Array, w: Array) -> Array:
    return summed(a, (w,), lambda row, column: -np.abs(row - column))


KERNEL = Kernel(
    name="adder", title="Adder (L1 distance), int8", activation="int8", result="int32", word="int16",
    weights=(Stored("int8"),), primitive="add", formats=("int8", "int8"),
    draw=lambda rng, shape: rng.integers(-128, 128, shape), encode=lambda w: (w.astype(np.int8),),
    decode=lambda stored, k: stored[0], exact=_exact, planes=lambda stored, b, n, k: (stored[0][b, n, k],),
    term=_distance,
)  # fmt: skip
