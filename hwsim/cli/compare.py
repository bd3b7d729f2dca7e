"""Compare workloads, training runs or results side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def compare(
    works: Annotated[
        list[Path], typer.Argument(metavar="A B ...", help="Runs, descriptions, workloads or results (.json).")
    ],
    on: Annotated[
        str, typer.Option(help="Architectures, separated by commas; not for results.")
    ] = "eyeriss-45nm",
    accounting: Annotated[str, typer.Option(help="Accounting convention.")] = "operator",
    formats: Annotated[
        str, typer.Option("--as", help="Formats to price as others, such as bf16=fp16, in works that have them.")
    ] = "",
    html: Annotated[Path | None, typer.Option(help="Write a self-contained page.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write all results as JSON.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print all results as JSON.")] = False,
) -> None:
    """Compare workloads, training runs or results side by side, each with the first."""
    from hwsim.cli.progress import score_with_progress
    from hwsim.cli.results import give, pairs
    from hwsim.cost.result import Result, Results
    from hwsim.errors import InputError
    from hwsim.files import read_mapping

    if len(works) < 2:
        raise InputError("must be two or more to compare", value=len(works))
    results: list[Result] = []
    for work in works:
        data = read_mapping(work) if work.suffix == ".json" and work.is_file() else None
        if isinstance(data, dict) and str(data.get("schema", "")).startswith("hwsim/results/"):
            results += Results.load(work).results
        else:
            results += score_with_progress(work, on.split(","), accounting, formats=pairs(formats))
    give(results, output, html, json=json)
