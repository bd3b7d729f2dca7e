"""Kernels side by side: static scores on several GPUs, and the factors between kernels that ShiftAddViT prints."""

from __future__ import annotations

from collections.abc import Sequence

from flows.kernels.gpu import compile_for_gpus
from flows.kernels.kernel import Kernel, Shape
from flows.kernels.static import StaticScore, arch_of, static_score
from flows.kernels.worker import TIMEOUT_S


def static_scores(
    kernels: Sequence[Kernel], shape: Shape, devices: Sequence[str], timeout_s: float = TIMEOUT_S
) -> list[StaticScore]:
    """Score every kernel on every device, compiling once an architecture.

    Raises
    ------
    InputError
        If a device is not known.
    KernelError
        If a compiler fails, crashes or takes too long.
    MissingPackageError
        If TVM or NVIDIA's tools are not installed.
    """
    archs = {device: arch_of(device) for device in devices}
    found = []
    for kernel in kernels:
        built = compile_for_gpus(kernel, shape, archs.values(), timeout_s)
        found += [static_score(kernel, shape, device, built.cubins[arch]) for device, arch in archs.items()]
    return found
