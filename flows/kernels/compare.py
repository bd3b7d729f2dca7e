"""Kernels side by side: static scores on several GPUs, and the factors between kernels that ShiftAddViT prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from flows.kernels.gpu import compile_for_gpus
from flows.kernels.kernel import Kernel, Shape
from flows.kernels.static import StaticScore, arch_of, static_score
from flows.kernels.worker import TIMEOUT_S
from hwsim.files import Frozen, read_model
from hwsim.gpu.measured import timings_on


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


class PrintedFactor(Frozen):
    """How many times faster a kernel is than another, as printed."""

    name: str
    packed: str
    published: str
    over: str
    printed: float


class Printed(Frozen):
    """All factors, with their source."""

    source: str
    device: str
    factors: tuple[PrintedFactor, ...]


class Factor(Frozen):
    """A printed factor and ours, from the kernel with packed weights and the one as published."""

    name: str
    device: str
    shape: str
    printed: float
    packed: float
    published: float
    basis: Literal["measured", "modelled"]
    """Measured only if all kernels were, on this device in this shape."""


def factors(scores: Sequence[StaticScore]) -> list[Factor]:
    """Return the printed factors beside ours, for every device and shape whose kernels are all in ``scores``."""
    printed = read_model(Path(__file__).with_name("printed.yaml"), Printed)
    found = []
    for device, shape in dict.fromkeys((score.device, score.shape) for score in scores):
        modelled = {one.kernel: one.modelled_s for one in scores if (one.device, one.shape) == (device, shape)}
        measured = {
            one.kernel: one.median_s for one in timings_on(device) if one.shape == shape and one.median_s is not None
        }
        for factor in printed.factors:
            names = {factor.packed, factor.published, factor.over}
            if names <= modelled.keys():
                basis: Literal["measured", "modelled"] = "measured" if names <= measured.keys() else "modelled"
                times = measured if basis == "measured" else modelled
                found.append(_factor(factor, device, shape, times, basis))
    return found


def _factor(
    factor: PrintedFactor, device: str, shape: str, times: Mapping[str, float], basis: Literal["measured", "modelled"]
) -> Factor:
    over_s = times[factor.over]
    return Factor(
        name=factor.name, device=device, shape=shape, printed=factor.printed, packed=over_s / times[factor.packed],
        published=over_s / times[factor.published], basis=basis,
    )  # fmt: skip
