"""Find the best mapping of a contraction and prove it."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer


def map(
    workload: Annotated[str, typer.Argument(help="Workload (.yaml or .json), or one operator as {kind: ..., ...}.")],
    operator: Annotated[str, typer.Argument(help="Name of one contraction; all of them if left out.")] = "",
    on: Annotated[
        str, typer.Option(help="Architecture of kind hierarchy: a preset or a .yaml file.")
    ] = "free-dataflow-45nm",
    objective: Annotated[
        str, typer.Option(help="energy, latency, edp or a product such as energy^2*latency.")
    ] = "energy",
    mapping: Annotated[Path | None, typer.Option(help="Cost this mapping (.yaml or .json), search none.")] = None,
    padding: Annotated[
        bool, typer.Option("--padding/--no-padding", help="Round dimensions up where that fills arrays.")
    ] = True,
    cache: Annotated[bool, typer.Option("--cache/--no-cache", help="Keep results, and use those kept.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Print the best mapping of every distinct contraction as a loop nest, with accesses and the proof."""
    import json as json_text

    from hwsim.mapper import contractions, cost_mapping, map_workload
    from hwsim.mapping.cache import disabled

    with nullcontext() if cache else disabled():
        if mapping:
            results = [cost_mapping(contractions(workload, operator)[0], mapping, on)]
        else:
            results = map_workload(workload, on, objective, operator, padding=padding)
    if json:
        typer.echo(json_text.dumps([result.data() for result in results]))
        return
    for result in results:
        typer.echo(f"{result.operator.name} on {on}, {'as given' if mapping else f'least {objective}'}")
        typer.echo(f"{result}\n")
