"""Accelerators as the command line names them: a file of their own, or an architecture of kind ``accelerator``."""

from __future__ import annotations

from flows.compile.price import accelerator_of
from hwsim.architecture import Programmed, load_architecture
from hwsim.errors import InputError
from hwsim.files import read_mapping
from rtl.accelerator import Accelerator


def load_accelerator(name: str) -> Accelerator:
    """Return the accelerator in a YAML file, or that of an architecture: a preset's name, or its file.

    Raises
    ------
    InputError
        If there is none, or the architecture is of another kind.
    """
    if name.endswith((".yaml", ".yml", ".json")):
        data = read_mapping(name)
        if not isinstance(data, dict) or "kind" not in data:
            return Accelerator.load(name)
    return accelerator_of(programmed(name))


def programmed(name: str) -> Programmed:
    """Return an architecture that has programs.

    Raises
    ------
    InputError
        If it is of another kind.
    """
    architecture, _ = load_architecture(name)
    if not isinstance(architecture, Programmed):
        raise InputError(f"must be an architecture of kind accelerator; {name} is a", value=architecture.kind)
    return architecture
