"""Compare predictions with figures measured on hardware, per layer and column."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from hwsim.validation import Validation


def validate(
    figures: Annotated[Path, typer.Argument(help="Measured figures, a .csv file.")],
    network: Annotated[str, typer.Option(help="alexnet, vgg16 or a .yaml file.")],
    batch: Annotated[int, typer.Option(help="Images that ran together.")],
    on: Annotated[str, typer.Option(help="Architecture: a preset or a .yaml file.")] = "eyeriss-v1",
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Predict every layer with the mappings that the chip used, and print the errors."""
    import json as json_text

    from rich.console import Console

    from hwsim.validation import validate_silicon

    validation = validate_silicon(figures, network, batch=batch, on=on)
    if json:
        typer.echo(json_text.dumps(validation.data()))
        return
    console = Console()
    console.print(_table(validation))
    means = ", ".join(f"{column} {error:.1f} %" for column, error in validation.mean_abs_error_percent.items())
    console.print(f"mean absolute error: {means}", soft_wrap=True)


def _table(validation: Validation) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from hwsim.validation.figures import MEASURED, SCALE

    table = Table("Layer", *(f"{column}: predicted, measured, error" for column in MEASURED.values()), "best mapping",
                  box=SIMPLE_HEAD, pad_edge=False)  # fmt: skip
    for layer in validation.layers:
        cells = []
        for column in MEASURED:
            error = layer.error_percent(column)
            shown = f"{layer.predicted[column] / SCALE[column]:.1f}"
            if error is not None:
                shown += f"  {layer.measured[column] / SCALE[column]:.1f}  {error:+.1f} %"
            cells.append(shown)
        best = layer.best_predicted
        table.add_row(
            layer.name, *cells, f"{best['processing_latency'] * 1e3:.1f} ms at {best['power'] * 1e3:.0f} mW"
        )
    return table
