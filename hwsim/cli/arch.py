"""List, show or check architectures: the presets and your own files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from hwsim.architecture import Architecture

arch = typer.Typer(no_args_is_help=True, help="List, show or check architectures: the presets and your own files.")


@arch.command("list")
def list_presets(json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """List the presets."""
    import json as json_text

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Column, Table

    from hwsim.architecture import architectures, load_architecture
    from hwsim.report.units import in_units

    presets = [load_architecture(name)[0] for name in architectures()]
    if json:
        typer.echo(json_text.dumps([_summary(preset) for preset in presets]))
        return
    short = [Column(name, no_wrap=True) for name in ("Name", "Kind", "Peak")]
    table = Table(*short, "Title", box=SIMPLE_HEAD, pad_edge=False)
    for preset in presets:
        table.add_row(preset.name, preset.kind, in_units(preset.peak_operations_per_s, "op/s", 3), preset.title)
    Console().print(table)


@arch.command()
def show(
    name: Annotated[str, typer.Argument(help="Preset or .yaml file.")],
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Print every field of an architecture, defaults included, as a file that `score --on` takes."""
    import json as json_text

    import yaml

    from hwsim.architecture import load_architecture

    plain = load_architecture(name)[0].model_dump(by_alias=True, mode="json")
    text = json_text.dumps(plain) if json else yaml.safe_dump(plain, sort_keys=False, width=120)
    typer.echo(text.rstrip("\n"))


@arch.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(help="Presets or .yaml files; none: every preset.")] = None,
) -> None:
    """Check that architectures are well formed and that their technologies have what their nodes charge."""
    from hwsim.architecture import architectures, load_architecture
    from hwsim.cost.priced import technology_of
    from hwsim.errors import HwsimError, InputError

    for name in names or architectures():
        architecture, folder = load_architecture(name)
        try:
            technology = technology_of(architecture, folder)
        except InputError as error:
            if error.file:
                raise
            raise InputError(error.rule, file=name, value=architecture.technology) from error
        for field, key in _charged(architecture):
            try:
                technology.coefficient(key)
            except HwsimError as error:
                rule = f"must be a coefficient of {technology.name} ({', '.join(technology.coefficients)})"
                raise InputError(rule, file=name, field=field, value=key) from error
        typer.echo(f"{name}: {architecture.kind}, technology {technology.name}: ok")


def _charged(architecture: Architecture) -> Iterator[tuple[str, str]]:
    """Field and name of every coefficient that is charged: by the nodes of a hierarchy, by memories, by time."""
    from hwsim.architecture import FreeDataflow, Programmed

    yield from ((f"standing[{i}]", key) for i, key in enumerate(architecture.standing))
    if isinstance(architecture, FreeDataflow):
        for k, node in enumerate(architecture.nodes):
            if isinstance(node.energy, str):
                yield f"nodes[{k}].energy", node.energy
            elif node.energy is not None:
                yield from ((f"nodes[{k}].energy.{port}", key) for port, key in node.energy.items())
    elif isinstance(architecture, Programmed):
        yield from ((f"circuits.{term}", f"circuit.{name}") for term, name in architecture.circuits.items())
        yield from (("technology", f"{part}.clocked") for part in ("line", "queue"))
    else:
        yield from (("technology", level.coefficient) for level in architecture.stream_levels)


def _summary(architecture: Architecture) -> dict[str, Any]:
    return {
        "name": architecture.name,
        "kind": architecture.kind,
        "title": architecture.title,
        "peak_operations_per_s": architecture.peak_operations_per_s,
        "source": architecture.source,
    }
