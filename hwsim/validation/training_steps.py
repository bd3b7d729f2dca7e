"""Training workloads of published power traces: kernels of a step as formulas of the batch, and what feeds them."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from statistics import NormalDist
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from hwsim.errors import InputError
from hwsim.files import Frozen, read_model
from hwsim.gpu.kernels import Kernels, Numbers

_FOLDER = Path(str(files("hwsim.validation") / "steps"))
_PRODUCTS = ((0, 0), (1, 0), (0, 1), (1, 1), (1, 2))
"""Powers of batch and padded length."""
_QUANTITIES = ("m", "k", "n", "repeats", "operations", "bytes", "images")

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Tokens(Frozen):
    """Lengths of sequences that are padded to the longest of their batch: a log-normal, cut off."""

    log_mean: float
    log_deviation: Positive
    longest: PositiveInt
    source: str

    def padded(self, batch: int) -> float:
        """Expected length of the longest of ``batch`` sequences."""
        lengths = np.exp(self.log_mean + self.log_deviation * _of_longest(batch))
        return float(np.minimum(lengths, self.longest).mean())


@lru_cache
def _of_longest(batch: int) -> NDArray[np.float64]:
    """Quantiles of the largest of ``batch`` standard normal numbers."""
    levels = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    return np.array([NormalDist().inv_cdf(level ** (1 / batch)) for level in levels])


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
    """Format of what is in single precision but the optimizer."""

    def kernels(self, batch: int, optimizer: str) -> Kernels:
        """Return the kernels of one step.

        Raises
        ------
        InputError
            If nothing is known of the optimizer.
        """
        if optimizer not in self.steps:
            raise InputError(f"optimizer of {self.network} must be one of {', '.join(self.steps)}", value=optimizer)
        length = self.tokens.padded(batch) if self.tokens else 0.0
        return _steps()[self.steps[optimizer]].kernels(batch, length, self.autocast)


@dataclass(frozen=True)
class _Step:
    """Kernels whose sizes are formulas."""

    part: NDArray[np.str_]
    format: NDArray[np.str_]
    factors: NDArray[np.float64]
    """Of every quantity, kernel and product of `_PRODUCTS`."""
    launched: NDArray[np.bool_]
    count: Numbers

    def kernels(self, batch: float, length: float, autocast: str | None) -> Kernels:
        products = np.array([batch**b * length**t for b, t in _PRODUCTS])
        m, k, n, repeats, operations, moved, images = self.factors @ products
        format_ = self.format
        if autocast is not None:
            narrowed = (format_ == "fp32") & (self.part != "optimizer")
            format_ = np.where(narrowed, autocast, format_)
            moved, images = (np.where(narrowed, one / 2, one) for one in (moved, images))
        no = np.zeros(len(m), bool)  # what the traces have no names for: aligned, and no statistics that take longer
        return Kernels(
            self.part, format_, m, k, n, repeats, operations, moved, images, self.launched, no, images > 0, ~no, no,
            self.count,
        )  # fmt: skip


@lru_cache(maxsize=1)
def _steps() -> Mapping[str, _Step]:
    rows: dict[str, list[dict[str, str]]] = {}
    with open(_FOLDER / "kernels.csv", newline="", encoding="utf-8") as stream:
        for cells in csv.DictReader(stream):
            rows.setdefault(cells["step"], []).append(cells)
    return {name: _step(cells) for name, cells in rows.items()}


def _step(rows: Sequence[Mapping[str, str]]) -> _Step:
    column = {name: [row[name] for row in rows] for name in rows[0]}
    return _Step(
        np.array(column["part"]), np.array(column["format"]),
        np.array([[_factors(formula) for formula in column[name]] for name in _QUANTITIES]),
        np.array(column["launched"]) == "1", np.array(column["count"], float),
    )  # fmt: skip


def _factors(formula: str) -> list[float]:
    """Parse ``768 + 3*b*t`` into a factor for each of `_PRODUCTS`."""
    factors = [0.0] * len(_PRODUCTS)
    for term in re.split(r"\s*\+\s*", formula):
        parts = term.split("*")
        powers = parts.count("b"), parts.count("t")
        factors[_PRODUCTS.index(powers)] += math.prod(float(one) for one in parts if one not in ("b", "t"))
    return factors


class _Workloads(Frozen):
    workloads: tuple[TrainingWorkload, ...]


@lru_cache(maxsize=1)
def training_workloads() -> Mapping[tuple[str, str], TrainingWorkload]:
    """Return the known workloads by data set and network."""
    found = read_model(_FOLDER / "workloads.yaml", _Workloads).workloads
    return {(one.dataset, one.network): one for one in found}
