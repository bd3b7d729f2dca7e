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
    if validation.warning:
        typer.echo(f"warning: {validation.warning}", err=True)
    if json:
        typer.echo(json_text.dumps(validation.data()))
        return
    console = Console()
    console.print(_table(validation))
    means = ", ".join(f"{column} {error:.1f} %" for column, error in validation.mean_abs_error_percent.items())
    console.print(f"mean absolute error: {means or 'nothing was measured'}", soft_wrap=True)


def _table(validation: Validation) -> Table:
    """A row per layer: predictions, under them what the chip measured and the error."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from hwsim.report.units import significant
    from hwsim.validation.figures import MEASURED, SCALE

    shown = [column for column in MEASURED if any(column in layer.predicted for layer in validation.layers)]
    table = Table("Layer", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, leading=1)
    table.add_column("", no_wrap=True)
    for column in shown:
        table.add_column(MEASURED[column].replace(" Accesses", "").replace(" (", "\n("), justify="right")
    table.add_column("best mapping", justify="right")
    for layer in validation.layers:
        cells = []
        for column in shown:
            lines = [significant(layer.predicted[column] / SCALE[column])]
            if (error := layer.error_percent(column)) is not None:
                lines += [f"{layer.measured[column] / SCALE[column]:.4g}", f"{error:+.1f} %"]
            cells.append("\n".join(lines))
        best = [f"{significant(layer.best_predicted['processing_latency'] * 1e3)} ms"]
        best += [f"{significant(layer.best_predicted['power'] * 1e3)} mW"] if "power" in layer.best_predicted else []
        table.add_row(layer.name, "model\nchip\nerror", *cells, "\n".join(best))
    return table
