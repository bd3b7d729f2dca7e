"""Compare predictions with figures measured on hardware, per layer and column."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from hwsim.validation import Validation
    from hwsim.validation.power_trace import TraceValidation


def validate(
    figures: Annotated[Path, typer.Argument(help="Measured figures, a .csv file.")],
    on: Annotated[str, typer.Option(help="Architecture: a preset or a .yaml file.")] = "eyeriss-v1",
    network: Annotated[str, typer.Option(help="Of a chip's layers: alexnet, vgg16 or a .yaml file.")] = "",
    batch: Annotated[int, typer.Option(help="Of a chip's layers: images that ran together.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Print the errors of predictions: of a chip's layers, or of training runs on a GPU (kind ``gpu``).

    Layers run with the mappings that the chip used; training runs with the batch, optimizer and power limit of a row.
    """
    from hwsim.architecture import Gpu, load_architecture

    if isinstance(load_architecture(on)[0], Gpu):
        _validate_trace(figures, on, network, batch, json=json)
    else:
        _validate_layers(figures, on, network, batch, json=json)


def _validate_trace(figures: Path, on: str, network: str, batch: int, *, json: bool) -> None:
    import json as json_text

    from rich.console import Console

    from hwsim.errors import InputError
    from hwsim.validation.power_trace import validate_trace

    for option, value in (("--network", network), ("--batch", batch)):
        if value:
            raise InputError(f"{option} must not be given with a GPU: rows of the trace name it", value=value)
    validation = validate_trace(figures, on)
    if json:
        typer.echo(json_text.dumps(validation.data()))
        return
    console = Console()
    console.print(_trace_rows(validation))
    console.print(_trace_medians(validation))


def _validate_layers(figures: Path, on: str, network: str, batch: int, *, json: bool) -> None:
    import json as json_text

    from rich.console import Console

    from hwsim.errors import InputError
    from hwsim.validation import validate_silicon

    if not network:
        raise InputError(f"--network must name the network whose layers {figures.name} holds")
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


def _trace_rows(validation: TraceValidation) -> Table:
    """A row per measurement: what is predicted, and the errors."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from hwsim.report.units import significant

    table = Table("Workload", "Batch", "Optimizer", box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("Limit W", "s per epoch", "error %", "W", "error %", "kJ", "error %"):
        table.add_column(heading, justify="right")
    for one in validation.rows:
        row, error, predicted = one.row, one.error_percent, one.predicted
        table.add_row(
            row.workload, str(row.batch), row.optimizer, f"{row.limit_w:g}",
            significant(predicted.time_s), f"{error['time_per_epoch']:+.1f}",
            significant(predicted.power_w), f"{error['average_power']:+.1f}",
            significant(predicted.values["energy"] / 1e3), f"{error['energy']:+.1f}",
        )  # fmt: skip
    return table


def _trace_medians(validation: TraceValidation) -> Table:
    """A row per workload."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table("Median absolute error", box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("time %", "power %", "energy %"):
        table.add_column(heading, justify="right")
    for workload, medians in validation.median_abs_error_percent.items():
        table.add_row(workload, *(f"{value:.1f}" for value in medians.values()))
    return table
