"""What ``hwsim demo`` and ``hwsim record`` do with a recorded run: price it, show it and write it down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

PRESETS = "eyeriss-45nm,eyeriss-45nm-int8,eyeriss-45nm-shiftadd"
REPORT, RESULT = "report.html", "result.json"


def score_recorded(directory: Path, on: list[str]) -> None:
    """Price the run in ``directory``, print the table, and write the page and the JSON file beside the record.

    Raises
    ------
    InputError
        If no step of the run was traced.
    """
    from hwsim.cli.progress import score_with_progress
    from hwsim.cost.result import Results
    from hwsim.errors import InputError
    from hwsim.report import print_comparison, write_html
    from hwsim.training import TrainingRun

    run = TrainingRun.load(directory)
    if not run.executions:
        raise InputError("holds no step whose operators are known", file=directory)
    results = score_with_progress(run, on)
    print_comparison(results)
    if run.untraced:
        typer.echo(f"Not counted: {run.untraced} steps whose operators were not traced.")
    Results(results=tuple(results)).save(directory / RESULT)
    write_html(results, directory / REPORT)


@contextmanager
def interruptible(directory: Path) -> Iterator[None]:
    """Turn Ctrl-C into exit status 130 and one line that says what was kept."""
    try:
        yield
    except KeyboardInterrupt as error:
        typer.echo(f"interrupted: {_kept(directory)}", err=True)
        raise typer.Exit(130) from error


def _kept(directory: Path) -> str:
    from hwsim.training import TrainingRun
    from hwsim.training.log import read_header

    if read_header(directory) is None:
        return "nothing was recorded"
    run = TrainingRun.load(directory)
    page = "" if (directory / REPORT).exists() else "; no report was written"
    return f"the record of {run.steps + run.untraced} steps is kept in {directory}{page}"
