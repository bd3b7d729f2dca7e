"""The technology table of a GPU from its data sheet: shares of the board's power, fitted on measured boards."""

from __future__ import annotations

from hwsim.architecture import Gpu
from hwsim.gpu.behaviour import EnergyShares
from hwsim.gpu.board import SCALAR, TF32
from hwsim.technology import Coefficient, Technology, load_technology

_SPREAD = 0.3
_BASIS = "two boards measured, whose shares differ by a factor of up to five; power of whole runs to 10 %"
_PUBLISHED = "osu018"
"""Any table gives what is published of external memories."""


def technology_of_gpu(gpu: Gpu, shares: EnergyShares) -> Technology:
    """Return the coefficients of ``gpu``."""
    spare_w, scalar = gpu.board_w - gpu.idle_w, gpu.scalar_share or shares.scalar
    published = load_technology(_PUBLISHED).coefficient(f"dram.{gpu.memory}")

    def share(value: float, per_s: float, name: str, unit: str, of: str) -> Coefficient:
        return Coefficient(
            value=round(value * spare_w / per_s * 1e12, 4), unit=unit, format="any", uncertainty=_SPREAD,
            uncertainty_basis=_BASIS, kind="fit", source=gpu.source,
            recipe=f"{value:g} of {spare_w:g} W at {of}: share {name} of hwsim/gpu/behaviour.yaml",
        )  # fmt: skip

    coefficients = {
        SCALAR: share(scalar, gpu.tflops * 1e12, "scalar", "pJ/op", f"{gpu.tflops:g} TFLOP/s"),
        "chip": share(shares.chip, gpu.dram_bytes_per_s, "chip", "pJ/8bit", f"{gpu.dram_bytes_per_s / 1e9:g} GB/s"),
        "active": _power(shares.active * spare_w, f"{shares.active:g} of {spare_w:g} W", gpu.source),
        "idle": _power(gpu.idle_w, "power with a context open and nothing running", gpu.idle_source),
        "dram": published.scaled(shares.dram, _SPREAD, f"share dram of hwsim/gpu/behaviour.yaml, {shares.dram:g}"),
    }
    matrix = {f"operation.{name}": rate for name, rate in gpu.matrix_tflops.items()}
    if gpu.tf32_tflops is not None:
        matrix[TF32] = gpu.tf32_tflops
    for key, rate in matrix.items():
        coefficients[key] = share(shares.matrix, rate * 1e12, "matrix", "pJ/op", f"{rate:g} TFLOP/s")
    return Technology(
        schema="hwsim/technology/1", name=gpu.name, title=f"{gpu.title}, from its data sheet",
        node_nm=gpu.node_nm, voltage_v=gpu.voltage_v, coefficients=dict(sorted(coefficients.items())),
    )  # fmt: skip


def _power(watts: float, recipe: str, source: str) -> Coefficient:
    return Coefficient(
        value=round(watts, 3), unit="W", format="any", uncertainty=_SPREAD, uncertainty_basis=_BASIS, kind="fit",
        source=source, recipe=recipe,
    )  # fmt: skip
