"""Fake shift: powers of two are decoded to fp32 and multiplied, as training does it on hardware without such shifts."""

from __future__ import annotations

from typing import Any

import numpy as np

from flows.kernels.kernel import Expression, Kernel, Stored
from flows.kernels.matshift import code, draw
from flows.kernels.packing import pack, unpack

_FORMAT = "pow2_4"


def _power(stored: tuple[Any, ...], b: Expression, n: Expression, k: Expression) -> tuple[Expression, ...]:
    """A float with the code's sign, its exponent below the bias of 127, and no mantissa."""
    from tvm import tirx

    bits = code(stored[0], b, n, k).astype("uint32")
    sign = (bits >> tirx.const(3, "uint32")) << tirx.const(31, "uint32")
    exponent = (tirx.const(127, "uint32") - (bits & tirx.const(7, "uint32"))) << tirx.const(23, "uint32")
    return (tirx.reinterpret("float32", sign | exponent),)


KERNEL = Kernel(
    name="fakeshift", title="Fake shift: 4-bit powers of two, multiplied in fp32", activation="float32",
    result="float32", word="float32", weights=(Stored("uint8", 2),), primitive="mac", formats=("fp32", _FORMAT),
    draw=draw(4), encode=lambda w: (pack(w, _FORMAT),), decode=lambda stored, k: unpack(stored[0], _FORMAT, k),
    exact=lambda a, w: a.astype(np.float64) @ w.swapaxes(1, 2), planes=_power, term=lambda a, w: a * w,
)  # fmt: skip
