"""The technology that prices an architecture: its table, with the external memory's standard."""

from __future__ import annotations

from pathlib import Path

from hwsim.architecture import Architecture, Gpu
from hwsim.gpu.behaviour import behaviour
from hwsim.gpu.technology import technology_of_gpu
from hwsim.technology import Technology, load_technology


def technology_of(architecture: Architecture, folder: Path) -> Technology:
    """Return the table that ``architecture`` names, where ``dram`` is the energy of the memory it declares.

    Raises
    ------
    HwsimError
        If there is no such table, or nothing is published about the memory's standard.
    """
    if isinstance(architecture, Gpu):
        return technology_of_gpu(architecture, behaviour(architecture.fit).energy)
    technology = load_technology(architecture.technology, beside=folder)
    if architecture.dram is None:
        return technology
    memory = technology.coefficient(architecture.dram.coefficient)
    return technology.model_copy(update={"coefficients": {**technology.coefficients, "dram": memory}})
