"""Turn a file of another tool into a workload: SCALE-Sim, ONNX, PyTorch profiles, Timeloop, AccelForge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="File of another tool.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Workload to write (.json or .yaml).")],
    format: Annotated[
        str, typer.Option("--from", help="Format of IN; by default what its content looks like.")
    ] = "",
    unknown: Annotated[
        str, typer.Option(help="What to do with operators that hwsim does not know: error or skip.")
    ] = "error",
    size: Annotated[
        list[str] | None, typer.Option(help="Size of a dynamic axis of an ONNX graph, as NAME=N; may be repeated.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Turn a file of another tool into a workload: SCALE-Sim, ONNX, PyTorch profiles, Timeloop, AccelForge."""
    import json as json_text

    from hwsim.workload.importers.conversion import convert as run

    summary = run(source, target, format=format or None, unknown=unknown, sizes=size or [])
    if json:
        typer.echo(json_text.dumps(summary.model_dump()))
    else:
        typer.echo(summary.text)
