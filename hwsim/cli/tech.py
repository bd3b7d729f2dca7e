"""List, show or compare technology tables: what operations, PEs and memories cost, and where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hwsim.technology import Technology

tech = typer.Typer(no_args_is_help=True, help="List, show or compare technology tables.")

Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@tech.command("list")
def list_tables(json: Json = False) -> None:
    """List the tables."""
    import json as json_text

    from hwsim.technology import load_technology, technologies

    tables = [load_technology(name) for name in technologies()]
    if json:
        typer.echo(json_text.dumps([_summary(table) for table in tables]))
        return
    rows = [
        (t.name, f"{t.node_nm:g} nm", f"{t.voltage_v:g} V", str(len(t.coefficients)), str(len(t.circuits)), t.title)
        for t in tables
    ]
    _print(("Name", "Node", "Supply", "Coefficients", "Circuits", "Title"), rows)


@tech.command()
def show(name: Annotated[str, typer.Argument(help="Table or .yaml file.")], json: Json = False) -> None:
    """Show a table: every coefficient and circuit, and the provenance."""
    import json as json_text

    from hwsim.technology import load_technology

    table = load_technology(name)
    if json:
        typer.echo(json_text.dumps(table.model_dump(by_alias=True, mode="json")))
        return
    typer.echo(f"{table.title}\n{table.node_nm:g} nm, {table.voltage_v:g} V")
    if table.coefficients:
        rows = [
            (key, f"{c.value:.4g} {c.unit}", f"{c.uncertainty:.0%}", c.kind, c.source)
            for key, c in table.coefficients.items()
        ]
        _print(("Coefficient", "Value", "Uncertainty", "Kind", "Source"), rows)
    if table.circuits:
        circuits = [
            (key, f"{c.energy_pj:.4g}", f"{c.spread:.0%}", f"{c.area_um2:.4g}", f"{c.delay_ns:.3g}")
            for key, c in table.circuits.items()
        ]
        _print(("Circuit", "pJ/op", "Spread", "um2", "ns"), circuits)
    if table.provenance:
        origin = table.provenance
        versions = ", ".join(f"{name} {version}" for name, version in origin.tools.items())
        typer.echo(f"{origin.library} at {origin.temperature_c:g} C; {versions}; recipe {origin.recipe_sha256[:12]}")
        typer.echo(f"Energy: {origin.method}")


@tech.command()
def diff(
    first: Annotated[str, typer.Argument(help="Table or .yaml file.")],
    second: Annotated[str, typer.Argument(help="Table or .yaml file.")],
    json: Json = False,
) -> None:
    """Compare two tables: what only one has, and the ratio second / first of what both have."""
    import json as json_text

    from hwsim.technology import load_technology

    a, b = (_values(load_technology(name)) for name in (first, second))
    both = {key: {"first": a[key], "second": b[key], "ratio": _ratio(a[key], b[key])} for key in a if key in b}
    only = {"only_first": sorted(a.keys() - b.keys()), "only_second": sorted(b.keys() - a.keys())}
    if json:
        typer.echo(json_text.dumps({"both": both, **only}))
        return
    rows = [
        (key, f"{one['first']:.4g}", f"{one['second']:.4g}", "-" if one["ratio"] is None else f"{one['ratio']:.3g}")
        for key, one in both.items()
    ]
    _print(("Quantity", first, second, "Ratio"), rows)
    for words, names in zip((first, second), only.values(), strict=True):
        if names:
            typer.echo(f"only in {words}: {', '.join(names)}")


def _values(table: Technology) -> dict[str, float]:
    """Return every number by name and unit: coefficients in pJ (an access: per bit), circuits' energy, area, delay."""
    values = {
        f"{key} [pJ/{'bit' if c.is_access else 'op'}]": c.energy_pj(bits=1) for key, c in table.coefficients.items()
    }
    for key, circuit in table.circuits.items():
        values[f"{key} [pJ/op]"] = circuit.energy_pj
        values[f"{key} [um2]"] = circuit.area_um2
        values[f"{key} [ns]"] = circuit.delay_ns
    return values


def _ratio(first: float, second: float) -> float | None:
    return second / first if first else None


def _summary(table: Technology) -> dict[str, Any]:
    return {
        "name": table.name, "title": table.title, "node_nm": table.node_nm, "voltage_v": table.voltage_v,
        "coefficients": len(table.coefficients), "circuits": len(table.circuits),
    }  # fmt: skip


def _print(titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*titles, box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
