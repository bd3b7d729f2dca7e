"""Run a training script unchanged, record it and show what it cost."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from hwsim.cli.recorded import PRESETS

CONTEXT_SETTINGS = {"allow_interspersed_args": False}
"""Whatever follows the script on the command line is the script's."""


def record(
    script: Annotated[Path, typer.Argument(help="A Python script that trains with PyTorch.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="Arguments of the script.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the record; runs/SCRIPT, numbered, unless given.")
    ] = None,
    on: Annotated[str, typer.Option(help="Architectures, separated by commas: presets or .yaml files.")] = PRESETS,
    score: Annotated[bool, typer.Option(help="Price the run when the script has ended.")] = True,
    sample_every: Annotated[
        int, typer.Option(min=0, help="Steps between two looks at zeros, range and toggles of tensors; 0: none.")
    ] = 500,
    sample_format: Annotated[str, typer.Option(help="Format whose bit toggles are counted.")] = "int8",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the record in --output, if there is one.")
    ] = False,
) -> None:
    """Run a training script unchanged, record what it trains and price the run.

    Options before SCRIPT are for hwsim, everything after it is for the script.
    """
    from hwsim.architecture import load_architecture
    from hwsim.cli.recorded import REPORT, RESULT, interruptible, score_recorded
    from hwsim.errors import InputError, MissingPackageError

    if resume and output is None:
        raise InputError("must be given with --resume", field="--output", value=None)

    try:
        from hwsim.training.script import record_script
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "a package", "recording a training run", "torch") from error

    architectures = on.split(",")
    for architecture in architectures:
        load_architecture(architecture)  # a wrong name ends here, not after hours of training
    directory = output or _free(Path("runs"), script.stem)
    with interruptible(directory):
        record_script(script, arguments or [], directory, sample_every, sample_format, resume=resume)
        if score:
            score_recorded(directory, architectures)
            typer.echo(f"Done: report in {directory / REPORT}, numbers in {directory / RESULT}")
        else:
            typer.echo(f"Done: recorded in {directory}")


def _free(folder: Path, name: str) -> Path:
    """Return the first of ``name``, ``name-2``, ``name-3`` that does not exist in ``folder``."""
    names = (name if number == 1 else f"{name}-{number}" for number in count(1))
    return next(folder / candidate for candidate in names if not (folder / candidate).exists())
