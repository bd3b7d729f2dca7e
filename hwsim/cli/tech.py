"""List, show or compare technology tables: what operations, PEs and memories cost, and where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hwsim.technology import Coefficient, Technology
    from hwsim.technology.scaling import Devices

tech = typer.Typer(no_args_is_help=True, help="List, show or compare technology tables.")

Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
Table = Annotated[str, typer.Argument(help="Table, .yaml file, or several joined by +.")]


@tech.command("list")
def list_tables(json: Json = False) -> None:
    """List the tables, and what models give beside them."""
    import json as json_text

    from hwsim.technology import load_technology, technologies

    tables = [load_technology(name) for name in technologies()]
    if json:
        typer.echo(json_text.dumps([_summary(table) for table in tables]))
        return
    rows = [
        (t.name, f"{t.node_nm:g} nm", f"{t.voltage_v:g} V", _contents(t), t.title) for t in tables
    ]
    _print(("Name", "Node", "Supply", "Holds", "Title"), rows)
    typer.echo("With every table: dram.<standard>, sram.<bytes>x<bits>, wire.<length>mm; with calibrated ones also")
    typer.echo("registers.<words>x<bits>, hop.<length>mm, pe.<primitive>.<formats>: `hwsim tech coefficient TABLE KEY`")


@tech.command()
def show(
    name: Table,
    node: Annotated[float | None, typer.Option(help="Scale to this node in nm.")] = None,
    voltage: Annotated[float | None, typer.Option(help="Scale to this supply in V.")] = None,
    low_power: Annotated[
        bool, typer.Option("--low-power", help="Scale as low-power devices, not high-performance ones.")
    ] = False,
    json: Json = False,
) -> None:
    """Show a table: every coefficient, circuit and FPGA resource, and the provenance."""
    import json as json_text

    from hwsim.technology import load_technology
    from hwsim.technology.scaling import factors, scale

    table = original = load_technology(name)
    devices: Devices = "LP" if low_power else "HP"
    if node is not None or voltage is not None:
        table = scale(original, node, voltage, devices)
    if json:
        typer.echo(json_text.dumps(table.model_dump(by_alias=True, mode="json")))
        return
    typer.echo(f"{table.title}\n{table.node_nm:g} nm, {table.voltage_v:g} V")
    if table is not original:
        by = factors(original.node_nm, original.voltage_v, table.node_nm, table.voltage_v, devices)
        typer.echo(f"energy x {by.energy:.3g} (+- {by.uncertainty:.0%}), delay x {by.delay:.3g}, area x {by.area:.3g}")
    _show_energies(table)
    _show_fpga(table)
    if table.provenance:
        origin = table.provenance
        versions = ", ".join(f"{name} {version}" for name, version in origin.tools.items())
        typer.echo(f"{origin.library} at {origin.temperature_c:g} C; {versions}; recipe {origin.recipe_sha256[:12]}")
        typer.echo(f"Energy: {origin.method}")


@tech.command()
def coefficient(
    name: Table, key: Annotated[str, typer.Argument(help="Such as mult.int8, dram.lpddr4, sram.65536x64.read.")],
    json: Json = False,
) -> None:  # fmt: skip
    """Show one coefficient, of a table or of a model, with everything needed to judge it."""
    import json as json_text

    from hwsim.technology import load_technology

    table = load_technology(name)
    one = table.coefficient(key)
    if json:
        typer.echo(json_text.dumps(one.model_dump(mode="json")))
        return
    trust = f" ({one.confidence})" if one.confidence else ""
    typer.echo(f"{key}: {one.value:.4g} {one.unit} +- {one.uncertainty:.0%}")
    typer.echo(f"  at {one.conditions or f'{table.node_nm:g} nm, {table.voltage_v:g} V'}; format {one.format}")
    typer.echo(f"  uncertainty: {one.uncertainty_basis}\n  recipe: {one.recipe}\n  {one.kind}{trust}: {one.source}")


@tech.command()
def diff(first: Table, second: Table, json: Json = False) -> None:
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


def _show_energies(table: Technology) -> None:
    if table.coefficients:
        rows = [
            (key, f"{c.value:.4g} {c.unit}", f"{c.uncertainty:.0%}", _kind(c), c.source)
            for key, c in table.coefficients.items()
        ]
        _print(("Coefficient", "Value", "Uncertainty", "Kind", "Source"), rows)
    if table.circuits:
        circuits = [
            (key, f"{c.energy_pj:.4g}", f"{c.spread:.0%}", f"{c.area_um2:.4g}", f"{c.delay_ns:.3g}")
            for key, c in table.circuits.items()
        ]
        _print(("Circuit", "pJ/op", "Spread", "um2", "ns"), circuits)


def _show_fpga(table: Technology) -> None:
    if table.fpga is None:
        return
    rows = [
        (key, *(_cell(value) for value in (r.lut, r.ff, r.dsp, r.bram, r.fmax_mhz, r.fmax_spread_mhz)))
        for key, r in table.fpga.resources.items()
    ]
    _print(("Circuit", "LUT", "FF", "DSP", "BRAM", "MHz", "Spread"), rows)
    versions = ", ".join(f"{name} {version}" for name, version in table.fpga.tools.items())
    typer.echo(f"{table.fpga.part}: {table.fpga.flow}; {versions}")
    known = f"published, in {table.fpga.energy_table}" if table.fpga.energy_table else "nothing is published"
    typer.echo(f"Energy of an operation: {known}")


def _values(table: Technology) -> dict[str, float]:
    """Return every number by name and unit: coefficients in pJ (an access: per bit), circuits, FPGA resources."""
    values = {
        f"{key} [pJ/{'bit' if c.is_access else 'op'}]": c.energy_pj(bits=1) for key, c in table.coefficients.items()
    }
    for key, circuit in table.circuits.items():
        values[f"{key} [pJ/op]"] = circuit.energy_pj
        values[f"{key} [um2]"] = circuit.area_um2
        values[f"{key} [ns]"] = circuit.delay_ns
    for key, used in table.fpga.resources.items() if table.fpga else ():
        known = {"LUT": used.lut, "FF": used.ff, "DSP": used.dsp, "BRAM": used.bram, "MHz": used.fmax_mhz}
        values |= {f"{key} [{unit}]": float(value) for unit, value in known.items() if value is not None}
    return values


def _kind(one: Coefficient) -> str:
    return f"{one.kind}, {one.confidence}" if one.confidence else one.kind


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _ratio(first: float, second: float) -> float | None:
    return second / first if first else None


def _contents(table: Technology) -> str:
    counts = {
        "coefficients": len(table.coefficients), "circuits": len(table.circuits),
        "on an FPGA": len(table.fpga.resources) if table.fpga else 0,
    }  # fmt: skip
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def _summary(table: Technology) -> dict[str, Any]:
    return {
        "name": table.name, "title": table.title, "node_nm": table.node_nm, "voltage_v": table.voltage_v,
        "coefficients": len(table.coefficients), "circuits": len(table.circuits),
        "fpga_resources": len(table.fpga.resources) if table.fpga else 0,
    }  # fmt: skip


def _print(titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Column
    from rich.table import Table as RichTable
    from rich.text import Text

    table = RichTable(Column(titles[0], no_wrap=True), *titles[1:], box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
