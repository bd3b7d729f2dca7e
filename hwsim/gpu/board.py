"""The numbers of a board that its kernels' time and energy follow from, of a data sheet and its technology table."""

from __future__ import annotations

from hwsim.architecture import Gpu
from hwsim.gpu.device import Board
from hwsim.technology import Technology

_BITS = 8
SCALAR = "operation.scalar"
TF32 = "operation.tf32"


def board_of(gpu: Gpu, technology: Technology) -> Board:
    """Return what `hwsim.gpu.device` needs of ``gpu``.

    Raises
    ------
    HwsimError
        If the technology lacks a coefficient.
    """
    energies = {name: technology.coefficient(operation_key(gpu, name)).energy_pj() for name in gpu.matrix_tflops}
    rates = {name: rate * 1e12 for name, rate in gpu.matrix_tflops.items()}
    if gpu.tf32_tflops is not None:
        energies["fp32"], rates["fp32"] = technology.coefficient(TF32).energy_pj(), gpu.tf32_tflops * 1e12
    watts = {key: technology.coefficient(key).energy_pj() * 1e-12 for key in ("idle", "active")}
    return Board(
        multiprocessors=gpu.multiprocessors,
        cycles_per_s=gpu.clock_hz,
        operations_per_s=rates,
        scalar_operations_per_s=gpu.tflops * 1e12,
        rounds_products=gpu.tf32_products,
        bytes_per_s=gpu.dram_bytes_per_s,
        cache_bytes=gpu.l2_mib * 1024**2,
        idle_w=watts["idle"],
        limit_w=gpu.limit_w or gpu.board_w,
        active_w=watts["active"],
        pj_per_operation=energies,
        scalar_pj_per_operation=technology.coefficient(SCALAR).energy_pj(),
        pj_per_byte=technology.coefficient("chip").energy_pj(_BITS),
        dram_pj_per_byte=technology.coefficient("dram").energy_pj(_BITS),
    )


def operation_key(gpu: Gpu, name: str) -> str:
    """Coefficient of an operation of a product in format ``name``."""
    if name == "fp32" and gpu.tf32_tflops is not None:
        return TF32
    return f"operation.{name}" if name in gpu.matrix_tflops else SCALAR
