"""Write a result as a table (CSV, JSON, Parquet) or one of its steps as a Perfetto trace."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class What(StrEnum):
    """What of a result is written."""

    OPERATORS = "operators"
    EPOCHS = "epochs"
    STEP = "step"


def export(
    result: Annotated[Path, typer.Argument(help="Result written by score, record or demo (.json).")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write: .csv, .json or .parquet.")],
    what: Annotated[
        What, typer.Option(help="Rows of the table, or step: one simulated step for Perfetto (.json).")
    ] = What.OPERATORS,
) -> None:
    """Write a result as a table (CSV, JSON, Parquet) or one of its steps as a Perfetto trace."""
    from hwsim.cost.result import Results
    from hwsim.errors import InputError
    from hwsim.report import export as tables
    from hwsim.report.step_trace import write_step_trace

    results = Results.load(result).results
    if what is What.STEP:
        if output.suffix != ".json":
            raise InputError("name of a trace must end in .json", file=output)
        write_step_trace(results, output)
    else:
        tables.export(results, "operators" if what is What.OPERATORS else "epochs", output)
    typer.echo(f"Done: {what} in {output}")
