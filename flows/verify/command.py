"""Verify RTL: simulation, proof, gate level, coverage, mutation and resources of every PE."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from flows.verify.plan import Result, Task

Tier = Literal["quick", "full"]


def verify(
    pe: Annotated[
        list[str] | None, typer.Option(help="Configuration; repeat for several. [all of the tier]")
    ] = None,
    tier: Annotated[Tier, typer.Option(help="quick: minutes, for every push. full: everything.")] = "quick",
    simulator: Annotated[
        Literal["icarus", "verilator"] | None, typer.Option(help="One simulator. [quick: icarus; full: both]")
    ] = None,
    check: Annotated[list[str] | None, typer.Option(help="Only these checks; repeat for several.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write results as JUnit XML.")] = None,
    work: Annotated[Path, typer.Option(help="Folder for everything the tools write.")] = Path("build/verify"),
    jobs: Annotated[int, typer.Option(min=0, help="Checks at a time. [one per processor]")] = 0,
    fresh: Annotated[bool, typer.Option(help="Repeat what passed before on the same sources.")] = False,
    update: Annotated[bool, typer.Option(help="Accept the measured resources as the baseline.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print results as JSON.")] = False,
) -> None:
    """Verify RTL: simulation, proof, gate level, coverage, mutation and resources of every PE.

    Ends with status 1 if any check fails. An interrupted run continues where it was.
    """
    from flows.verify import baseline, plan
    from flows.verify import junit as report
    from hwsim.errors import HwsimError, InputError
    from hwsim.files import write_text

    simulators = (simulator,) if simulator else plan.SIMULATORS[tier]
    todo = plan.tasks(pe or [], tier, simulators, work, update=update)
    known = sorted({task.check for task in todo})
    for name in check or []:
        if name not in known:
            raise InputError(f"must be one of {', '.join(known)}", field="--check", value=name)
    todo = [task for task in todo if not check or task.check in check]
    write_text(work / ".gitignore", "*\n")  # what cannot be written is an error now, not after an hour
    if junit is not None:
        report.write([], junit)
    results = _watch(todo, jobs or os.cpu_count() or 1, fresh=fresh)
    if update:
        baseline.merge()
        plan.seal(todo, results)
    if junit is not None:
        report.write(results, junit)
    if as_json:
        typer.echo(json.dumps([vars(result) for result in results], indent=1))
    else:
        _table(results)
    failed = [result for result in results if not result.passed]
    if failed:
        raise HwsimError(f"{len(failed)} of {len(results)} checks failed, see {work}")


def _watch(todo: list[Task], jobs: int, *, fresh: bool) -> list[Result]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from flows.verify import plan

    results = []
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("", total=len(todo))
        for result in plan.run(todo, jobs, fresh=fresh):
            results.append(result)
            progress.update(bar, advance=1, description=f"{result.name} {result.check}")
            if not result.passed:
                progress.console.print(f"failed: {result.name} {result.check}: {result.detail}", markup=False)
    return sorted(results, key=lambda result: (result.name, result.check))


def _table(results: list[Result]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("PE", "check", "", "seconds", "CPU s", "what it saw", title="hwsim verify")
    for result in results:
        mark = Text("pass", "green") if result.passed else Text("FAIL", "bold red")
        times = f"{result.seconds:.1f}", f"{result.cpu_seconds:.1f}"
        table.add_row(result.name, result.check, mark, *times, Text(result.detail))
    Console().print(table)
    passed, minutes = sum(result.passed for result in results), sum(result.cpu_seconds for result in results) / 60
    typer.echo(f"{passed} of {len(results)} passed; {minutes:.1f} minutes of processor time")
