"""Train a small network and show what that cost on three architectures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EPOCHS, QUICK_EPOCHS = 12, 2


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the record and the report.")] = Path(
        "hwsim-demo"
    ),
    quick: Annotated[bool, typer.Option("--quick", help="Train two epochs only.")] = False,
) -> None:
    """Train a small network on handwritten digits, record the run and price it on three architectures."""
    from hwsim.cli.recorded import PRESETS, REPORT, RESULT, interruptible, score_recorded
    from hwsim.errors import MissingPackageError
    from hwsim.training import TrainingRun

    with interruptible(output):
        _claim(output)
        try:
            from hwsim.examples import digits
        except ModuleNotFoundError as error:
            raise MissingPackageError(error.name or "a package", "the demo", "demo") from error
        digits.main(["--output", str(output), "--epochs", str(QUICK_EPOCHS if quick else EPOCHS)])
        score_recorded(output, PRESETS.split(","))
        accuracy = TrainingRun.load(output).metrics["accuracy"][-1][1]
        typer.echo(f"Done: accuracy {accuracy:.1%}; report in {output / REPORT}, numbers in {output / RESULT}")


def _claim(directory: Path) -> None:
    """Clear what an earlier demo left in ``directory``; `InputError` if it holds anything else of these names."""
    from hwsim.cli.recorded import REPORT, RESULT
    from hwsim.errors import InputError
    from hwsim.training.log import erase, make_writable, prepare, read_header

    make_writable(directory)
    outputs = [directory / name for name in (REPORT, RESULT)]
    header = read_header(directory)
    if header and header.name == "digits demo":
        erase(directory)
        for path in outputs:
            path.unlink(missing_ok=True)
    prepare(directory)
    for path in outputs:
        if path.exists():
            raise InputError("is not of an earlier demo: choose another folder with --output", file=path)
