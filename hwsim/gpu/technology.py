"""The technology table of a GPU from its data sheet: energies fitted on measured boards, scaled to its node and die."""

from __future__ import annotations

import math
from functools import lru_cache

from hwsim import formats
from hwsim.architecture import Gpu
from hwsim.gpu.behaviour import Energies
from hwsim.gpu.board import SCALAR, TF32
from hwsim.technology import Coefficient, Technology, load_technology

_SPREAD = 0.3
_BASIS = "boards of the fit were measured; energies of others follow from node, transistors and die"
_PUBLISHED = "osu018"
"""Any table gives what is published of external memories."""
_MATRIX_BITS = 16
_TF32_BITS = 32
"""Matrix units take a word of 32 bits for a factor in TF32, at half the rate of 16 bits."""


def technology_of_gpu(gpu: Gpu, energies: Energies) -> Technology:
    """Return the coefficients of ``gpu``."""
    logic, wires = gpu.node_nm / energies.node_nm, math.sqrt(gpu.die_mm2 / energies.die_mm2)
    published = _published(gpu.memory)

    def scaled(value: float, name: str, unit: str, factor: float, of: str) -> Coefficient:
        return Coefficient(
            value=round(value * factor, 4), unit=unit, format="any", uncertainty=_SPREAD, uncertainty_basis=_BASIS,
            kind="fit", source=gpu.source,
            recipe=f"{name} of hwsim/gpu/fits/{gpu.fit}.yaml, {value:g}, times {factor:.4g} {of}",
        )  # fmt: skip

    in_node = f"for {gpu.node_nm:g} nm"
    transistors = gpu.billion_transistors * gpu.clock_hz * 1e-12
    matrix = {f"operation.{name}": formats.parse(name).bits for name in gpu.matrix_tflops}
    if gpu.tf32_tflops is not None:
        matrix[TF32] = _TF32_BITS
    coefficients = {
        SCALAR: scaled(energies.scalar_pj, "scalar_pj", "pJ/op", logic, in_node),
        "chip": scaled(energies.chip_pj, "chip_pj", "pJ/8bit", wires, f"for a die of {gpu.die_mm2:g} mm2"),
        "active": scaled(
            energies.active_pj,
            "active_pj",
            "W",
            transistors * logic,
            f"for {gpu.billion_transistors:g} billion transistors at {gpu.clock_mhz:g} MHz, {in_node}",
        ),
        "idle": _power(gpu.idle_w, "power of the board with a context open and nothing running", gpu.idle_source),
        "dram": published.scaled(
            1 + energies.dram_pj / published.value,
            _SPREAD,
            f"and {energies.dram_pj:g} pJ on the way: dram_pj of hwsim/gpu/fits/{gpu.fit}.yaml",
        ),
        **{
            key: scaled(energies.matrix_pj, "matrix_pj", "pJ/op", bits / _MATRIX_BITS * logic, in_node)
            for key, bits in matrix.items()
        },
    }
    if gpu.node:
        host_w, gpus = gpu.node.host_w, gpu.node.gpus
        recipe = f"{host_w:g} W of the node beside its boards, shared by {gpus}"
        coefficients["host"] = _power(host_w / gpus, recipe, gpu.node.host_source)
    return Technology(
        schema="hwsim/technology/1", name=gpu.name, title=f"{gpu.title}, from its data sheet",
        node_nm=gpu.node_nm, voltage_v=gpu.voltage_v, coefficients=dict(sorted(coefficients.items())),
    )  # fmt: skip


@lru_cache
def _published(memory: str) -> Coefficient:
    return load_technology(_PUBLISHED).coefficient(f"dram.{memory}")


def _power(watts: float, recipe: str, source: str) -> Coefficient:
    return Coefficient(
        value=watts, unit="W", format="any", uncertainty=_SPREAD, uncertainty_basis=_BASIS, kind="fit", source=source,
        recipe=recipe,
    )  # fmt: skip
