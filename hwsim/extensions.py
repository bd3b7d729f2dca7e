"""What packages beside `hwsim` bring to it, found by name when it is needed: entry points of ``hwsim.extensions``."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from hwsim.errors import HwsimError, MissingPackageError

GROUP = "hwsim.extensions"


def extension(name: str) -> Callable[..., Any]:
    """Return the function that a package registered as ``name``.

    Raises
    ------
    HwsimError
        If none did.
    MissingPackageError
        If that package needs another one that is not installed.
    """
    found = [point for point in entry_points(group=GROUP) if point.name == name]
    if not found:
        raise HwsimError(f"no installed package has the extension {name}")
    try:
        function: Callable[..., Any] = found[0].load()
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "a package", name, "rtl") from error
    return function
