"""Training workloads of published power traces: kernels of a step as formulas of the batch, and what feeds them."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from statistics import NormalDist
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PositiveInt

from hwsim.errors import InputError
from hwsim.files import Frozen, read_model
from hwsim.gpu.kernels import Kernel, Kernels, Part

_FOLDER = Path(str(files("hwsim.validation") / "steps"))
_VARIABLES = ("b", "t")
_QUANTITIES = ("m", "k", "n", "repeats", "operations", "bytes")

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Tokens(Frozen):
    """Lengths of sequences that are padded to the longest of their batch: a log-normal, cut off."""

    log_mean: float
    log_deviation: Positive
    longest: PositiveInt
    source: str

    def padded(self, batch: int) -> float:
        """Expected length of the longest of ``batch`` sequences."""
        levels = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
        quantiles = np.array([NormalDist().inv_cdf(level ** (1 / batch)) for level in levels])
        return float(np.minimum(np.exp(self.log_mean + self.log_deviation * quantiles), self.longest).mean())


_QUANTILES = 64


class TrainingWorkload(Frozen):
    """A network trained on a set of data."""

    dataset: str
    network: str
    samples: PositiveInt
    """Of an epoch."""
    samples_source: str
    steps: dict[str, str]
    """Name of the kernels in the file of kernels, by optimizer."""
    tokens: Tokens | None = None
    loading_s: Annotated[float, Field(ge=0)] = 0.0
    """Time in which the host makes one sample ready where that is not hidden, on the host that the fit refers to."""
    loading_source: str = ""
    autocast: Literal["fp16"] | None = None
    """Format in which products of single precision run."""

    def kernels(self, batch: int, optimizer: str) -> Kernels:
        """Return the kernels of one step.

        Raises
        ------
        InputError
            If nothing is known of the optimizer.
        """
        if optimizer not in self.steps:
            raise InputError(f"optimizer of {self.network} must be one of {', '.join(self.steps)}", value=optimizer)
        values = {"b": float(batch), "t": self.tokens.padded(batch) if self.tokens else 0.0}
        return Kernels.of((row.kernel(values, self.autocast), row.count) for row in _rows()[self.steps[optimizer]])


@dataclass(frozen=True)
class _Row:
    """A kernel whose sizes are formulas."""

    part: Part
    format: str
    sizes: tuple[tuple[tuple[float, tuple[int, ...]], ...], ...]
    """Of every quantity its terms: a factor and the powers of the variables."""
    launched: bool
    count: float

    def kernel(self, values: Mapping[str, float], autocast: str | None) -> Kernel:
        m, k, n, repeats, operations, moved = (self._value(terms, values) for terms in self.sizes)
        narrowed = autocast is not None and self.format == "fp32"
        format_ = autocast if narrowed and autocast else self.format
        return Kernel(self.part, format_, m, k, n, repeats, operations, moved / 2 if narrowed else moved, self.launched)

    @staticmethod
    def _value(terms: tuple[tuple[float, tuple[int, ...]], ...], values: Mapping[str, float]) -> float:
        powers_of = ((factor, zip(_VARIABLES, powers, strict=True)) for factor, powers in terms)
        return math.fsum(factor * math.prod(values[name] ** power for name, power in of) for factor, of in powers_of)


@lru_cache(maxsize=1)
def _rows() -> Mapping[str, list[_Row]]:
    rows: dict[str, list[_Row]] = {}
    with open(_FOLDER / "kernels.csv", newline="", encoding="utf-8") as stream:
        for cells in csv.DictReader(stream):
            part: Part = cells["part"]  # type: ignore[assignment]  # a file of this package
            sizes = tuple(_terms(cells[name]) for name in _QUANTITIES)
            row = _Row(part, cells["format"], sizes, cells["launched"] == "1", float(cells["count"]))
            rows.setdefault(cells["step"], []).append(row)
    return rows


def _terms(formula: str) -> tuple[tuple[float, tuple[int, ...]], ...]:
    """Parse ``768 + 3*b*t``."""
    return tuple(_term(term) for term in re.split(r"\s*\+\s*", formula))


def _term(text: str) -> tuple[float, tuple[int, ...]]:
    factors = text.split("*")
    number = math.prod(float(one) for one in factors if one not in _VARIABLES)
    return number, tuple(factors.count(name) for name in _VARIABLES)


class _Workloads(Frozen):
    workloads: tuple[TrainingWorkload, ...]


@lru_cache(maxsize=1)
def training_workloads() -> Mapping[tuple[str, str], TrainingWorkload]:
    """Return the known workloads by data set and network."""
    found = read_model(_FOLDER / "workloads.yaml", _Workloads).workloads
    return {(one.dataset, one.network): one for one in found}
