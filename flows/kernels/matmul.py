"""Products by multiplication, to compare with: int8 summed in int32; fp16 and fp32 summed in fp32."""

from __future__ import annotations

import numpy as np

from flows.kernels.kernel import Array, Kernel, Stored


def _floats(name: str, dtype: str) -> Kernel:
    return Kernel(
        name=name, title=f"Matrix product, {name} summed in fp32", activation=dtype, result="float32", word="float32",
        weights=(Stored(dtype),), primitive="mac", formats=(name, name),
        draw=lambda rng, shape: rng.standard_normal(shape), encode=lambda w: (w.astype(dtype),),
        decode=lambda stored, k: stored[0], exact=_exact, planes=lambda stored, b, n, k: (stored[0][b, n, k],),
        term=lambda a, w: a * w,
    )  # fmt: skip


def _exact(a: Array, w: Array) -> Array:
    return a.astype(np.float64) @ w.astype(np.float64).swapaxes(1, 2)


FP32 = _floats("fp32", "float32")
FP16 = _floats("fp16", "float16")
INT8 = Kernel(
    name="int8", title="Matrix product, int8 summed in int32", activation="int8", result="int32", word="int16",
    weights=(Stored("int8"),), primitive="mac", formats=("int8", "int8"),
    draw=lambda rng, shape: rng.integers(-128, 128, shape), encode=lambda w: (w.astype(np.int8),),
    decode=lambda stored, k: stored[0], exact=_exact, planes=lambda stored, b, n, k: (stored[0][b, n, k],),
    term=lambda a, w: a.astype("int32") * w.astype("int32"), dot="pair_dot",
)  # fmt: skip
