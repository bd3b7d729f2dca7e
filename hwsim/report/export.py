"""Results as tables for other programs: one row per operator, or one per epoch; CSV, JSON or Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, Literal

from hwsim.cost.result import COMPONENTS, Result
from hwsim.errors import InputError, MissingPackageError
from hwsim.files import write_text
from hwsim.report.comparison import labels

Table = Literal["operators", "epochs"]
Rows = list[dict[str, Any]]


def export(results: Sequence[Result], table: Table, path: Path | str) -> Path:
    """Write one of the tables; the suffix of ``path`` chooses the form.

    Raises
    ------
    InputError
        If the suffix is not .csv, .json or .parquet, or epochs are asked of something else than training runs.
    MissingPackageError
        For Parquet without pyarrow.
    """
    path = Path(path)
    if path.suffix not in {".csv", ".json", ".parquet"}:
        raise InputError("name of a table must end in .csv, .json or .parquet", file=path)
    rows = operators(results) if table == "operators" else epochs(results)
    if path.suffix == ".parquet":
        return _parquet(rows, path)
    if path.suffix == ".json":
        return write_text(path, json.dumps(rows, indent=1) + "\n")
    text = StringIO()
    writer = csv.DictWriter(text, fieldnames=list(dict.fromkeys(name for row in rows for name in row)), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return write_text(path, text.getvalue())


def operators(results: Sequence[Result]) -> Rows:
    """Return a row for every operator of every result; energy, time and traffic are those of all its executions."""
    return [row for result, label in zip(results, labels(results), strict=True) for row in _operators(result, label)]


def epochs(results: Sequence[Result]) -> Rows:
    """Return a row for every epoch and stage of every training run, with all breakdowns of its energy and time."""
    rows: Rows = []
    for result, label in zip(results, labels(results), strict=True):
        if result.timeline is None:
            raise InputError("must be of a training run to have epochs", field="result", value=result.workload)
        for point in result.timeline.points:
            row = {"result": label, "workload": result.workload, **point.model_dump()}
            for field in [field for field in row if "_by_" in field]:
                quantity, _, key = field.partition("_by_")
                row |= {f"{quantity}.{key}.{name}": value for name, value in row.pop(field).items()}
            rows.append(row)
    return rows


def _operators(result: Result, label: str) -> Iterator[dict[str, Any]]:
    for cost in result.operators:
        spent: dict[str, float] = dict.fromkeys(COMPONENTS, 0.0)
        for charge in cost.charges:
            spent[charge.component] += charge.energy_pj * cost.count * 1e-12
        yield {
            "result": label, "workload": result.workload, "module": cost.module, "operator": cost.name,
            "phase": cost.phase, "primitive": cost.primitive, "source": cost.source, "count": cost.count,
            "macs": cost.macs * cost.count, "covered": cost.covered, "energy_j": cost.energy_pj * cost.count * 1e-12,
            "latency_s": cost.latency_s * cost.count, "dram_bytes": cost.dram_bits * cost.count / 8,
            "bound": cost.bound, "note": cost.note, **{f"energy_j.{name}": value for name, value in spent.items()},
        }  # fmt: skip


def _parquet(rows: Rows, path: Path) -> Path:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise MissingPackageError("pyarrow", "writing Parquet", "parquet") from error
    temporary = path.with_name(f".{path.name}.part")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), temporary)
    return temporary.replace(path)
