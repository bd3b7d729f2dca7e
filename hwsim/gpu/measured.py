"""Measured kernels: their time, and energy where it was counted, on a device that is named; the database of them.

Files in the package's folder ``measurements`` belong to it, and those in the folder that HWSIM_KERNELS names.
"""

from __future__ import annotations

import os
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from hwsim.files import Frozen, read_model
from hwsim.mapping.lowering import matrix_product
from hwsim.workload.operator import Operator

FOLDER = "HWSIM_KERNELS"

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Timing(Frozen):
    """A kernel of one shape: ``batch`` products of (m, k) and (k, n), with what a term is and its formats."""

    kernel: str
    primitive: str
    formats: tuple[str, str]
    """Of activation and weight."""
    batch: int
    m: int
    k: int
    n: int
    status: Literal["ok", "failed", "crashed", "timed out"] = "ok"
    detail: str = ""
    repetitions: int = 0
    best_s: Seconds | None = None
    lower_quartile_s: Seconds | None = None
    median_s: Seconds | None = None
    upper_quartile_s: Seconds | None = None
    energy_j: Annotated[float, Field(gt=0)] | None = None
    """Of the whole board in one call."""
    clock_mhz: float | None = None
    """While it ran."""
    error: float | None = None
    """Largest difference from the reference, over the largest result."""

    @property
    def shape(self) -> str:
        """Sizes as the command line takes them."""
        sizes = (self.m, self.k, self.n) if self.batch == 1 else (self.batch, self.m, self.k, self.n)
        return "x".join(map(str, sizes))


class Timed(Frozen):
    """Time and energy of what ran well, over so many repetitions."""

    repetitions: int
    best_s: Seconds
    lower_quartile_s: Seconds
    median_s: Seconds
    upper_quartile_s: Seconds
    energy_j: Annotated[float, Field(gt=0)]
    """Of the whole board in one of them."""
    clock_mhz: float
    """While it ran."""


class Part(Timed):
    """A kernel that keeps one part of a GPU busy.

    Attributes
    ----------
    name
        Of the part.
    opcode
        Instruction that does it.
    unit, amount
        What is counted, and how much of it one launch does; a multiply-add is two operations.
    """

    name: str
    opcode: str
    unit: Literal["operation", "byte", "second"]
    amount: Annotated[float, Field(ge=0)]

    @property
    def power_w(self) -> float:
        """Of the board."""
        return self.energy_j / self.median_s

    @property
    def per_s(self) -> float:
        """Units in a second."""
        return self.amount / self.median_s


class Measurements(Frozen):
    """What was measured on one device, and with what."""

    schema_: Literal["hwsim/kernels/1"] = Field(default="hwsim/kernels/1", alias="schema")
    device: str
    """Name of the architecture preset, such as ``h100-sxm``; ``cpu`` for processors."""
    device_name: str
    """As the device calls itself."""
    date: str
    versions: dict[str, str]
    """Of driver, compilers and libraries."""
    conditions: str
    """Threads, clocks, what else the machine did."""
    timings: tuple[Timing, ...]
    parts: tuple[Part, ...] = ()
    idle_w: Annotated[float, Field(ge=0)] | None = None
    """Power with a context open and nothing to do."""


Key = tuple[str, str, tuple[str, str], int, int, int, int]


def measured(device: str, operator: Operator) -> Timing | None:
    """Return the fastest measured kernel that computes ``operator`` on ``device``, if there is one.

    The operator's primitive, formats and sizes as a matrix product must be those of the kernel, from either side.

    Raises
    ------
    InputError
        If a file of the database is not valid.
    """
    if not operator.is_contraction:
        return None
    known = _fastest(os.environ.get(FOLDER, ""))
    if not known:
        return None
    product = matrix_product(operator)
    first, second = product.first.format, product.second.format
    sizes = product.repeats, product.m, product.k, product.n
    turned = product.repeats, product.n, product.k, product.m
    for formats, (batch, m, k, n) in (((first, second), sizes), ((second, first), turned)):
        found = known.get((device, operator.primitive, formats, batch, m, k, n))
        if found is not None:
            return found
    return None


def timings_on(device: str) -> list[Timing]:
    """Return what was measured on ``device`` and went well.

    Raises
    ------
    InputError
        If a file of the database is not valid.
    """
    return [timing for name, timing in _all(os.environ.get(FOLDER, "")) if name == device]


@lru_cache(maxsize=4)
def _fastest(folder: str) -> dict[Key, Timing]:
    found: dict[Key, Timing] = {}
    for device, timing in sorted(_all(folder), key=lambda pair: -(pair[1].median_s or 0)):
        sizes = timing.batch, timing.m, timing.k, timing.n
        found[device, timing.primitive, timing.formats, *sizes] = timing
    return found


@lru_cache(maxsize=4)
def _all(folder: str) -> tuple[tuple[str, Timing], ...]:
    """Every timing with its device."""
    folders = [Path(str(files("hwsim.gpu") / "measurements")), *([Path(folder)] if folder else [])]
    read = (read_model(path, Measurements) for one in folders for path in sorted(one.glob("*.json")))
    return tuple(
        (one.device, timing)
        for one in read
        for timing in one.timings
        if timing.status == "ok" and timing.median_s is not None
    )
