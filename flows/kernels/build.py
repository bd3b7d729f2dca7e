"""What a kernel is compiled to, as files to look at."""

from __future__ import annotations

from pathlib import Path

from flows.kernels.kernel import Kernel, Shape
from flows.kernels.worker import TIMEOUT_S, perform
from hwsim.files import write_text


def build(kernel: Kernel, shape: Shape, target: str, folder: Path, timeout_s: float = TIMEOUT_S) -> list[Path]:
    """Compile for ``target`` and write what comes out into ``folder``; return the files.

    Parameters
    ----------
    target
        ``native`` or the name of a CPU.

    Raises
    ------
    KernelError
        If the compiler fails, crashes or takes too long.
    MissingPackageError
        If TVM is not installed.
    """
    request = {"kernel": kernel.name, "shape": shape.model_dump(), "cpu": target}
    data = perform("build", request, timeout_s=timeout_s).checked().data
    stem = f"{kernel.name}-{shape}"
    return [write_text(folder / f"{stem}.tir.py", data["tir"]), write_text(folder / f"{stem}.s", data["assembly"])]
