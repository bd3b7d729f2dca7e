"""Compile a PyTorch network into a program and memory images of an accelerator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from flows.compile.network import Network


def compile_(
    model: Annotated[str, typer.Argument(help="FILE.py:FUNCTION, PACKAGE.MODULE:FUNCTION, or an exported .pt2.")],
    config: Annotated[str, typer.Option(help="Accelerator: a .yaml file, or an architecture such as int8-8x8.")],
    data: Annotated[str, typer.Option(help="Images to take scales from: .npy, or FILE.py:FUNCTION.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")],
    checkpoint: Annotated[Path | None, typer.Option(help="Weights, a state_dict saved by torch.save.")] = None,
    percentile: Annotated[float, typer.Option(help="Magnitudes that an activation's range covers, in %.")] = 100.0,
    host_ops: Annotated[bool, typer.Option(help="Leave layers that the accelerator cannot run to the host.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the layout as JSON.")] = False,
) -> None:
    """Compile a PyTorch network into a program and memory images of an accelerator."""
    from flows.compile.configuration import load_accelerator
    from flows.compile.network import compile_network
    from flows.compile.sources import load_images, load_model

    accelerator = load_accelerator(config)
    network = compile_network(
        load_model(model, checkpoint), load_images(data), accelerator, percentile=percentile, host_ops=host_ops
    )
    files = network.bundle.save(output)
    if as_json:
        typer.echo(network.bundle.layout.model_dump_json())
        return
    _print(network)
    for file in files:
        typer.echo(str(file))


def _print(network: Network) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Column, Table

    layout = network.bundle.layout
    numbers = [Column(name, justify="right") for name in ("Commands", "Beats", "Weight words")]
    table = Table("Layer", *numbers, box=SIMPLE_HEAD, pad_edge=False)
    for part in layout.layers:
        table.add_row(part.name, str(part.commands), str(part.beats), str(part.weight_words))
    console = Console()
    console.print(table)
    total, size = sum(part.beats for part in layout.layers), len(network.bundle.content)
    console.print(f"{len(network.commands)} commands, {total} beats of the array, {size} bytes of memory")
    if layout.host:
        console.print(f"left to the host: {', '.join(layout.host)}")
