"""Write a training run as a description that can be edited and scored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def describe(
    run: Annotated[Path, typer.Argument(help="Folder of a recorded run, or a description.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Description to write (.yaml or .json).")],
) -> None:
    """Write a training run as a description that can be edited and scored.

    Its distinct steps go into a folder beside it.
    """
    from hwsim.errors import InputError
    from hwsim.scoring import load
    from hwsim.training import TrainingRun
    from hwsim.training.export import describe as write

    found = load(run)
    if not isinstance(found, TrainingRun):
        raise InputError("must be a training run, not a workload", file=run)
    write(found, output)
    typer.echo(f"Done: {len(found.tally.spans)} epochs or parts, {found.steps:,} steps in {output}")
