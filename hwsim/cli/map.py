"""Find the best mapping of a contraction and prove it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def map(
    workload: Annotated[Path, typer.Argument(help="Workload (.yaml or .json).")],
    operator: Annotated[str, typer.Argument(help="Name of one contraction; all of them if left out.")] = "",
    on: Annotated[
        str, typer.Option(help="Architecture of kind hierarchy: a preset or a .yaml file.")
    ] = "free-dataflow-45nm",
    objective: Annotated[str, typer.Option(help="energy, latency or edp.")] = "energy",
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Print the best mapping of every distinct contraction as a loop nest, with accesses and the proof."""
    import json as json_text

    from hwsim.mapper import map_workload

    results = map_workload(workload, on, objective, operator)
    if json:
        typer.echo(json_text.dumps([result.data() for result in results]))
        return
    for result in results:
        typer.echo(f"{result.operator.name} on {on}, least {objective}")
        typer.echo(f"{result}\n")
