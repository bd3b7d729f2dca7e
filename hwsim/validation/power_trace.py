"""Measured seconds per epoch and watts of training on a GPU beside what hwsim predicts from its data sheet."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from hwsim.architecture import Gpu, load_architecture
from hwsim.cost.priced import technology_of
from hwsim.errors import HwsimError, InputError
from hwsim.gpu.behaviour import Behaviour, behaviour
from hwsim.gpu.board import board_of
from hwsim.gpu.device import Clocked, clocked
from hwsim.gpu.host import joined_s, step_host_s
from hwsim.gpu.kernels import Numbers
from hwsim.technology import Technology
from hwsim.validation.training_steps import TrainingWorkload, training_workloads

COLUMNS = ("dataset", "network", "batch_size", "optimizer", "power_limit", "time_per_epoch", "average_power")
QUANTITIES = {"time_per_epoch": "s", "average_power": "W", "energy": "J"}
"""What is compared, with its unit; the energy is that of an epoch."""


@dataclass(frozen=True)
class Epoch:
    """Seconds and watts of one epoch."""

    time_s: float
    power_w: float

    @property
    def values(self) -> dict[str, float]:
        """By the names of `QUANTITIES`."""
        return {"time_per_epoch": self.time_s, "average_power": self.power_w, "energy": self.time_s * self.power_w}


@dataclass(frozen=True)
class TraceRow:
    """One measurement."""

    dataset: str
    network: str
    batch: int
    optimizer: str
    limit_w: float
    measured: Epoch
    line: int = 0
    """Of the file it was read from."""

    @property
    def workload(self) -> str:
        """Network and data set, as they are reported."""
        return f"{self.network} on {self.dataset}"


@dataclass(frozen=True)
class Compared:
    """A measurement with its prediction."""

    row: TraceRow
    predicted: Epoch

    @property
    def error_percent(self) -> dict[str, float]:
        """Predicted over measured minus one, in percent, of every quantity."""
        measured = self.row.measured.values
        return {key: 100 * (value / measured[key] - 1) for key, value in self.predicted.values.items()}


@dataclass(frozen=True)
class TraceValidation:
    """A whole trace on one GPU."""

    gpu: str
    rows: tuple[Compared, ...]

    @property
    def median_abs_error_percent(self) -> dict[str, dict[str, float]]:
        """Median over rows of the absolute error of every quantity, by workload; ``all`` is that of all rows."""
        groups: dict[str, list[Compared]] = defaultdict(list)
        for row in self.rows:
            groups[row.row.workload].append(row)
            groups["all"].append(row)
        return {
            name: {key: median(abs(one.error_percent[key]) for one in rows) for key in QUANTITIES}
            for name, rows in groups.items()
        }

    def data(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {
            "gpu": self.gpu,
            "units": QUANTITIES,
            "median_abs_error_percent": self.median_abs_error_percent,
            "rows": [
                {
                    "dataset": one.row.dataset, "network": one.row.network, "batch_size": one.row.batch,
                    "optimizer": one.row.optimizer, "power_limit": one.row.limit_w,
                    "measured": one.row.measured.values, "predicted": one.predicted.values,
                    "error_percent": one.error_percent,
                }
                for one in self.rows
            ],
        }  # fmt: skip


def validate_trace(path: Path | str, on: str) -> TraceValidation:
    """Predict every row of a trace.

    Parameters
    ----------
    path
        A CSV file with the columns `COLUMNS`; seconds and watts.
    on
        An architecture of kind ``gpu``.

    Raises
    ------
    HwsimError
        If an input is not valid, or nothing is known of a workload.
    """
    gpu, folder = load_architecture(on)
    if not isinstance(gpu, Gpu):
        raise HwsimError(f"{on} is of kind {gpu.kind}: power traces need one of kind gpu")
    technology, rows = technology_of(gpu, folder), read_trace(path)
    epochs = predicted_epochs([(row, _workload(path, row)) for row in rows], gpu, technology, behaviour(gpu.fit))
    return TraceValidation(gpu.name, tuple(map(Compared, rows, epochs)))


def predicted_epochs(
    runs: Sequence[tuple[TraceRow, TrainingWorkload]], gpu: Gpu, technology: Technology, fitted: Behaviour
) -> list[Epoch]:
    """Return what an epoch takes on ``gpu`` with the batch, optimizer and power limit of every row."""
    board = board_of(gpu, technology)
    known: dict[Hashable, tuple[Numbers, Clocked, float]] = {}
    epochs = []
    for row, workload in runs:
        key = workload.dataset, workload.network, row.batch, row.optimizer
        if key not in known:
            kernels = workload.kernels(row.batch, row.optimizer)
            host_s = gpu.host.slowness * (step_host_s(fitted.host, kernels) + workload.loading_s * row.batch)
            known[key] = kernels.count, clocked(kernels, board, fitted.device), host_s
        count, at_clocks, host_s = known[key]
        cost = at_clocks.limited(row.limit_w)
        step_s = joined_s(float(cost.time_s @ count), host_s)
        dynamic_j = float(cost.dynamic_pj @ count) * 1e-12
        epochs.append(Epoch(workload.samples / row.batch * step_s, board.idle_w + dynamic_j / step_s))
    return epochs


def read_trace(path: Path | str) -> tuple[TraceRow, ...]:
    """Read a trace; `InputError` names the row and column of what is wrong."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            table = [row for row in csv.reader(stream, strict=True) if any(row)]
    except OSError as error:
        raise InputError(f"cannot be read: {(error.strerror or str(error)).lower()}", file=path) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot be read as CSV: {error}", file=path) from error
    header = [cell.strip() for cell in table[0]] if table else []
    if missing := [column for column in COLUMNS if column not in header]:
        rule = f"must have the columns {', '.join(COLUMNS)}; without {', '.join(missing)} it is no power trace"
        raise InputError(rule, file=path)
    for column in COLUMNS:
        if header.count(column) > 1:
            raise InputError("column must appear once", file=path, field=column, value=header.count(column))
    if len(table) < 2:
        raise InputError("must have a row for at least one measurement", file=path)
    return tuple(_row(path, number, header, cells) for number, cells in enumerate(table[1:], 2))


def _row(path: Path | str, number: int, header: Sequence[str], cells: Sequence[str]) -> TraceRow:
    if len(cells) != len(header):
        raise InputError(f"must have {len(header)} cells", file=path, field=f"line {number}", value=len(cells))
    row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}

    def positive(column: str) -> float:
        field = f"line {number}, {column}"
        try:
            value = float(row[column])
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value > 0):
            raise InputError("must be a positive number", file=path, field=field, value=row[column])
        return value

    batch = positive("batch_size")
    if batch != round(batch):
        field = f"line {number}, batch_size"
        raise InputError("must be a whole number", file=path, field=field, value=row["batch_size"])
    measured = Epoch(positive("time_per_epoch"), positive("average_power"))
    limit_w = positive("power_limit")
    return TraceRow(row["dataset"], row["network"], round(batch), row["optimizer"], limit_w, measured, number)


def _workload(path: Path | str, row: TraceRow) -> TrainingWorkload:
    known = training_workloads()
    if (row.dataset, row.network) not in known:
        names = ", ".join(f"{network} on {dataset}" for dataset, network in known)
        raise InputError(f"workload must be one of {names}", file=path, field=f"line {row.line}", value=row.workload)
    workload = known[row.dataset, row.network]
    if row.optimizer not in workload.steps:
        rule = f"optimizer of {row.network} must be one of {', '.join(workload.steps)}"
        raise InputError(rule, file=path, field=f"line {row.line}", value=row.optimizer)
    return workload
