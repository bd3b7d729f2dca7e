"""A kernel's machine code for GPUs: CUDA source from TVM, compiled by nvcc for one architecture or several."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flows.kernels.cubin import Cubin, compile_cuda
from flows.kernels.kernel import Kernel, Shape
from flows.kernels.worker import TIMEOUT_S, perform


@dataclass(frozen=True)
class GpuKernel:
    """What GPUs run.

    Attributes
    ----------
    symbol
        Name of the function.
    parameters
        Operands its pointers are of, in order: ``A``, ``C``, ``W0`` ...
    cubins
        Machine code by architecture.
    """

    kernel: Kernel
    shape: Shape
    source: str
    symbol: str
    parameters: tuple[str, ...]
    cubins: dict[str, Cubin]


def compile_for_gpus(kernel: Kernel, shape: Shape, archs: Iterable[str], timeout_s: float = TIMEOUT_S) -> GpuKernel:
    """Compile for architectures such as ``sm_90``.

    Raises
    ------
    KernelError
        If a compiler fails, crashes or takes too long.
    MissingPackageError
        If TVM or NVIDIA's tools are not installed.
    """
    request = {"kernel": kernel.name, "shape": shape.model_dump()}
    data = perform("cuda_source", request, timeout_s=timeout_s).checked().data
    cubins = {arch: compile_cuda(data["source"], arch, timeout_s) for arch in dict.fromkeys(archs)}
    return GpuKernel(kernel, shape, data["source"], data["symbol"], tuple(data["parameters"]), cubins)
