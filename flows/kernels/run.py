"""A kernel on this CPU, on arrays of the caller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flows.kernels.kernel import Array, Kernel, Shape
from flows.kernels.worker import TIMEOUT_S, perform
from hwsim.errors import InputError


def run(
    kernel: Kernel,
    a: Array,
    stored: Sequence[Array],
    timeout_s: float = TIMEOUT_S,
    trace: Sequence[Any] | None = None,
) -> Array:
    """Return C, ``(batch, m, n)``.

    Parameters
    ----------
    a
        Activations, ``(batch, m, k)`` of the kernel's type.
    stored
        Weights as ``kernel.encode`` returns them, of ``(batch, n, k)``.
    trace
        Of `flows.kernels.tune`, to schedule by; else by hand.

    Raises
    ------
    InputError
        If shapes or types do not fit.
    KernelError
        If the compiler or the kernel fails, crashes or takes too long.
    MissingPackageError
        If TVM is not installed.
    """
    shape = _shape(kernel, a, stored)
    request = {"kernel": kernel.name, "shape": shape.model_dump(), "cpu": "native", "trace": trace}
    found: Array = perform("run", request, operands(a, stored), timeout_s).checked().arrays["C"]
    return found


def operands(a: Array, stored: Sequence[Array]) -> dict[str, Array]:
    """Return the arrays that a task reads."""
    return {"A": a, **{f"W{index}": array for index, array in enumerate(stored)}}


def _shape(kernel: Kernel, a: Array, stored: Sequence[Array]) -> Shape:
    if a.ndim != 3 or a.dtype != kernel.activation:
        rule = f"must be {kernel.activation} of shape (batch, m, k)"
        raise InputError(rule, field="A", value=f"{a.dtype} {a.shape}")
    batch, m, k = a.shape
    n = stored[0].shape[1] if stored and stored[0].ndim == 3 else 0
    for index, (one, array) in enumerate(zip(kernel.weights, stored, strict=True)):
        sizes = (batch, n, -(-k // one.per_element))
        if array.shape != sizes or array.dtype != one.dtype:
            rule = f"must be {one.dtype} of shape {sizes}"
            raise InputError(rule, field=f"W{index}", value=f"{array.dtype} {array.shape}")
    return Shape(batch=batch, m=m, k=k, n=n)
