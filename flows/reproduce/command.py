"""Compute a paper's tables, ours beside the printed values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from flows.reproduce.report import Reproduction


def reproduce(
    name: Annotated[str, typer.Argument(help="The system: shiftaddnet, ...")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File for the results (.json).")] = None,
    docs: Annotated[Path | None, typer.Option(help="Folder for the page and its charts.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Compute a paper's tables, ours beside the printed values."""
    import functools
    import json as json_text

    from rich.console import Console
    from rich.progress import Progress

    from flows.reproduce.registry import reproduce as compute
    from hwsim.errors import InputError
    from hwsim.files import write_text

    if output and output.suffix != ".json":
        raise InputError("file name must end in .json", field="output", value=str(output))
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        found = compute(name, functools.partial(_shown, bars, bars.add_task(f"reproducing {name}", total=None)))
    text = json_text.dumps(found.data(), indent=1, ensure_ascii=False)
    if output:
        write_text(output, f"{text}\n")
    if docs:
        for file, content in found.pages().items():
            write_text(docs / file, content)
    if json:
        typer.echo(text)
    else:
        _print(found)


def _shown(bars: Progress, bar: TaskID, done: int, total: int) -> None:
    bars.update(bar, completed=done, total=total)


def _print(found: Reproduction) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print(found.title, style="bold")
    for section in found.sections:
        head, rows = section.table
        if not rows:
            continue
        table = Table(*head, title=section.title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for column in table.columns[1:]:
            column.justify = "right"
        for row in rows:
            table.add_row(*row)
        console.print(table)
