"""What a kernel is compiled to, as files to look at."""

from __future__ import annotations

from pathlib import Path

from flows.kernels.gpu import compile_for_gpus
from flows.kernels.kernel import Kernel, Shape
from flows.kernels.static import arch_of, static_score, throughput
from flows.kernels.worker import TIMEOUT_S, perform
from hwsim.files import write_bytes, write_text


def build(kernel: Kernel, shape: Shape, target: str, folder: Path, timeout_s: float = TIMEOUT_S) -> list[Path]:
    """Compile for ``target`` and write what comes out into ``folder``; return the files.

    Parameters
    ----------
    target
        ``native`` or the name of a CPU: TensorIR and assembly. An architecture (``sm_90``) or preset (``h100-sxm``) of
        a GPU: CUDA source, machine code and its listing, and for a preset the static score.

    Raises
    ------
    KernelError
        If a compiler fails, crashes or takes too long.
    MissingPackageError
        If TVM or NVIDIA's tools are not installed.
    """
    stem = folder / f"{kernel.name}-{shape}"
    device = target if target in throughput().devices else ""
    if not device and target not in throughput().architectures:
        request = {"kernel": kernel.name, "shape": shape.model_dump(), "cpu": target}
        data = perform("build", request, timeout_s=timeout_s).checked().data
        return [write_text(f"{stem}.tir.py", data["tir"]), write_text(f"{stem}.s", data["assembly"])]
    arch = arch_of(device) if device else target
    built = compile_for_gpus(kernel, shape, [arch], timeout_s)
    cubin = built.cubins[arch]
    files = [
        write_text(f"{stem}.cu", built.source), write_bytes(f"{stem}.cubin", cubin.content),
        write_text(f"{stem}.sass", cubin.listing),
    ]  # fmt: skip
    if device:
        score = static_score(kernel, shape, device, cubin)
        files.append(write_text(f"{stem}.json", score.model_dump_json(indent=1) + "\n"))
    return files
