"""Calibrate: measure processing elements as gates of a cell library, into a technology table."""

from __future__ import annotations

import re
from collections.abc import Container
from pathlib import Path
from typing import Annotated

import typer

LARGEST = 16
"""Rows or columns of an array that is compared with its gates."""


def calibrate(
    output: Annotated[Path, typer.Option("--output", "-o", help="Technology table to write (.yaml).")],
    pe: Annotated[list[str] | None, typer.Option(help="PE, as listed by `hwsim rtl list`; repeat.")] = None,
    operator: Annotated[list[str] | None, typer.Option(help="Bare operator, such as mult8; `all`; repeat.")] = None,
    liberty: Annotated[
        list[Path] | None, typer.Option(help="Liberty file, .lib or .lib.gz; repeat. Default: osu018.")
    ] = None,
    streams: Annotated[Path | None, typer.Option(help="Operands of the one PE, .npz; default: uniform.")] = None,
    node: Annotated[float | None, typer.Option(help="Node in nm, where the library's name does not tell.")] = None,
    array: Annotated[
        list[str] | None, typer.Option(help="Predict an array, such as int8_mac:4x4, and compare with gates; repeat.")
    ] = None,
    booth: Annotated[bool, typer.Option("--booth", help="Booth-coded multipliers instead of arrays.")] = False,
) -> None:
    """Synthesise PEs with a cell library, simulate the gates, and write what they cost as a technology table."""
    import tempfile

    from rich.console import Console

    from flows.calibrate import streams as operands
    from flows.calibrate import synthesis, technology
    from flows.calibrate.library import Library
    from flows.calibrate.measure import Setup
    from flows.calibrate.operators import OPERATORS
    from flows.verify import tools
    from hwsim.errors import InputError
    from hwsim.files import write_text
    from rtl.pe import find

    if output.suffix != ".yaml":
        raise InputError("must end in .yaml", field="--output", value=str(output))
    elements = {name: find(name) for name in pe or []}
    bare = list(OPERATORS) if "all" in (operator or []) else operator or []
    for name in bare:
        if name not in OPERATORS:
            raise InputError(f"operator must be one of {', '.join(OPERATORS)}, all", value=name)
    if not elements and not bare:
        raise InputError("name at least one --pe or --operator")
    if streams is not None and (len(elements) != 1 or bare):
        raise InputError("goes with one --pe and no --operator", field="--streams", value=str(streams))
    arrays = [_array(text, elements) for text in array or []]
    own = operands.load(streams, next(iter(elements.values()))) if streams is not None else None
    library = Library(liberty or [tools.cells("osu018_stdcells.lib")])
    with tempfile.TemporaryDirectory() as folder, Console(stderr=True).status("calibrating"):
        setup = Setup(library, Path(folder), synthesis.Recipe(booth))
        synthesis.place(library, setup.folder)
        made = technology.table(output.stem, elements, bare, setup, node, own, arrays)
    write_text(output, technology.text(made))
    for name, circuit in made.circuits.items():
        typer.echo(f"{name}: {circuit.energy_pj:.4g} pJ/op, {circuit.area_um2:.4g} um2, {circuit.delay_ns:.3g} ns")
    for one in made.arrays:
        name, predicted = f"{one.rows}x{one.columns} {one.circuit}, {one.layer}", sum(one.predicted_pj.values())
        typer.echo(f"{name}: {predicted:.4g} pJ predicted, {one.gates_pj:.4g} pJ on gates, {one.error:+.1%}")
    typer.echo(str(output))


def _array(text: str, elements: Container[str]) -> tuple[str, int, int]:
    from hwsim.errors import InputError

    found = re.fullmatch(r"(\w+):([1-9][0-9]?)x([1-9][0-9]?)", text)
    if found is None:
        raise InputError("must be PE:ROWSxCOLUMNS, such as int8_mac:4x4", field="--array", value=text)
    if found[1] not in elements:
        raise InputError("must be of a PE that --pe names", field="--array", value=text)
    rows, columns = int(found[2]), int(found[3])
    if max(rows, columns) > LARGEST:
        raise InputError(f"must have at most {LARGEST} rows and columns", field="--array", value=text)
    return found[1], rows, columns
