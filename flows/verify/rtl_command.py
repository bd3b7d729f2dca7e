"""RTL of processing elements and accelerators: list the former, emit Verilog with a port map and test vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

rtl = typer.Typer(no_args_is_help=True, help="RTL of processing elements and accelerators: emit Verilog.")


@rtl.command("list")
def list_pes(as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """List the PE configurations with their parameters."""
    from rich.console import Console
    from rich.table import Table

    from rtl.pe import CATALOG

    if as_json:
        rows = {
            name: {"key": pe.key, "latency": pe.latency, **pe.model_dump()} for name, pe in CATALOG.items()
        }
        typer.echo(json.dumps(rows, indent=1))
        return
    table = Table("PE", "key", "latency", "operands", "parameters that are not the default")
    for name, pe in CATALOG.items():
        operands = ", ".join(f"{port} {form}" for port, form in pe.operands.items())
        changed = ", ".join(f"{k}={v}" for k, v in pe.model_dump(exclude_defaults=True).items())
        table.add_row(name, pe.key, str(pe.latency), operands, changed)
    Console().print(table)


@rtl.command("emit")
def emit(
    name: Annotated[str, typer.Argument(help="PE, as listed by `hwsim rtl list`, or YAML file of an accelerator.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")],
    params: Annotated[
        list[str] | None, typer.Option(help="Parameter to change, as name=value; repeat.")
    ] = None,
    beats: Annotated[int, typer.Option(min=1, help="Test vectors, at most.")] = 1000,
) -> None:
    """Write a PE or an accelerator as Verilog, its port map, and the twin's test vectors."""
    from flows.verify import emit as files
    from flows.verify import emit_accelerator
    from hwsim.files import validate
    from rtl.accelerator import Accelerator
    from rtl.pe import find

    if name.endswith((".yaml", ".yml")):
        for path in emit_accelerator.emit(Accelerator.load(name), output):
            typer.echo(str(path))
        return
    pe = find(name)
    if params:
        pe = validate({**pe.model_dump(), **_assignments(params)}, type(pe))
    for path in files.emit(pe, name, output, beats):
        typer.echo(str(path))


def _assignments(params: list[str]) -> dict[str, Any]:
    from hwsim.errors import InputError

    found: dict[str, Any] = {}
    for text in params:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError("must be name=value", field="--params", value=text)
        found[name] = int(value) if value.removeprefix("-").isdecimal() else value
    return found
