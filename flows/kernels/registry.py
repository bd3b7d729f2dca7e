"""All kernels by name."""

from __future__ import annotations

from flows.kernels import adder, fakeshift, matadd, matmul, matshift
from flows.kernels.kernel import Kernel
from hwsim.errors import InputError

KERNELS = {
    kernel.name: kernel
    for kernel in (
        matshift.PACKED, matshift.PUBLISHED, fakeshift.KERNEL, matadd.PACKED, matadd.SIGNED, matadd.PUBLISHED,
        adder.KERNEL, matmul.INT8, matmul.FP16, matmul.FP32,
    )
}  # fmt: skip


def find(name: str) -> Kernel:
    """Return the kernel ``name``.

    Raises
    ------
    InputError
        If there is none.
    """
    if name not in KERNELS:
        raise InputError(f"must be one of {', '.join(KERNELS)}", field="kernel", value=name)
    return KERNELS[name]
