"""The systems that can be reproduced, found among entry points and imported only when asked for."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points

from flows.reproduce.report import Reproduction
from hwsim.errors import InputError

GROUP = "hwsim.reproductions"

Progress = Callable[[int, int], None]
"""Called with the number of parts that are done, and of all."""


def systems() -> list[str]:
    """Names of all systems."""
    return sorted(entry_points(group=GROUP).names)


def reproduce(name: str, progress: Progress | None = None) -> Reproduction:
    """Compute a system's tables.

    Raises
    ------
    InputError
        If there is no system of that name.
    """
    if name not in systems():
        raise InputError(f"must be one of {', '.join(systems())}", field="name", value=name)
    function: Callable[[Progress | None], Reproduction] = entry_points(group=GROUP)[name].load()
    return function(progress)
