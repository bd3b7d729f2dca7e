"""Price a workload or a training run on one or more architectures."""

from __future__ import annotations

from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hwsim.cost.result import Result

PROGRAM = "layout.json"
"""A file in every folder that `hwsim compile` writes."""


class By(StrEnum):
    """What the rows of the table of epochs are."""

    TOTAL = "total"
    PHASE = "phase"
    COMPONENT = "component"
    LEVEL = "level"
    MODULE = "module"


Work = Annotated[
    str,
    typer.Argument(
        help="Workload or described run (.yaml or .json), or folder of a recorded run; or, for this project's "
        "accelerator, a network (FILE.py:FUNCTION, .pt2) or the folder of a compiled program."
    ),
]
Architectures = Annotated[str, typer.Option(help="Architectures, separated by commas: presets or .yaml files.")]
Fuse = Annotated[bool, typer.Option("--fuse", help="Fuse chains of operators (kinds hierarchy and gpu).")]
Formats = Annotated[
    str, typer.Option("--as", help="Formats to price as others, such as bf16=fp16, separated by commas.")
]
Grams = Annotated[float | None, typer.Option(min=0, help="Grams of CO2 that a kWh stands for: tell those of the run.")]
Images = Annotated[
    str, typer.Option(help="Images for a network: .npy, or FILE.py:FUNCTION; else its function returns both.")
]
CheckRtl = Annotated[
    bool, typer.Option("--check-rtl", help="Run compiled programs on the RTL, and compare every counter.")
]
HostOps = Annotated[
    bool, typer.Option("--host-ops", help="Leave what the accelerator cannot do to the host, without a price.")
]
Epochs = Annotated[By | None, typer.Option(help="Also print what every epoch of a run took, as a whole or by this.")]


def score(
    work: Work,
    on: Architectures = "eyeriss-45nm",
    accounting: Annotated[str, typer.Option(help="Accounting convention.")] = "operator",
    fuse: Fuse = False,
    formats: Formats = "",
    json: Annotated[bool, typer.Option("--json", help="Print the whole result as JSON.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the result as JSON.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a self-contained page.")] = None,
    cache: Annotated[bool, typer.Option("--cache/--no-cache", help="Keep mappings, and use those kept.")] = True,
    budget: Annotated[str, typer.Option(help="Tell how many epochs an energy pays for, such as 5kJ or 2kWh.")] = "",
    carbon_intensity: Grams = None,
    data: Images = "",
    check_rtl: CheckRtl = False,
    simulator: Annotated[str, typer.Option(help="For --check-rtl: verilator or icarus.")] = "verilator",
    host_ops: HostOps = False,
    epochs: Epochs = None,
    price: Annotated[float | None, typer.Option(min=0, help="Price of a kWh: tell that of the run.")] = None,
    operators: Annotated[bool, typer.Option("--operators", help="Also print every operator, side by side.")] = False,
) -> None:
    """Price a workload or a training run on one or more architectures."""
    from hwsim.cli.progress import score_with_progress
    from hwsim.cli.results import give, pairs
    from hwsim.extensions import extension
    from hwsim.mapping.cache import disabled
    from hwsim.report.budget import budget_lines, joules
    from hwsim.report.comparison import labels
    from hwsim.report.epochs import epoch_table
    from hwsim.report.operators import operator_table
    from hwsim.report.table import print_table

    budget_j = joules(budget) if budget else None
    with nullcontext() if cache else disabled():
        if is_network(work):
            _refuse("workloads and runs", **{"as": formats})
            results = extension("score_network")(
                work, on.split(","), accounting, data=data, simulator=simulator if check_rtl else "", host_ops=host_ops,
                fuse=fuse,
            )  # fmt: skip
        else:
            _refuse("networks and compiled programs", data=data, check_rtl=check_rtl, host_ops=host_ops)
            results = score_with_progress(work, on.split(","), accounting, fuse=fuse, formats=pairs(formats))
    give(results, output, html, json=json)
    if not json:
        for line in _about_programs(results):
            typer.echo(line)
        if operators:
            print_table(operator_table(results), "Operators, one execution each")
        if epochs:
            for result, label in zip(results, labels(results), strict=True):
                print_table(epoch_table(result, epochs.value), f"Epochs on {label}")
        for line in budget_lines(results, labels(results), budget_j, carbon_intensity, price):
            typer.echo(line)


def is_network(work: str) -> bool:
    """Whether it names a network or the folder of a compiled program, not a workload or a run."""
    place, colon, _ = work.rpartition(":")
    return bool(colon and place) or work.endswith(".pt2") or (Path(work) / PROGRAM).is_file()


def _about_programs(results: list[Result]) -> list[str]:
    """Notes of results that are those of programs."""
    programs = [result for result in results if result.architecture.kind == "accelerator"]
    return [f"{result.architecture.name}: {note}" for result in programs for note in result.notes]


def _refuse(kind: str, **options: object) -> None:
    """Raise `InputError` for an option that only ``kind`` have."""
    from hwsim.errors import InputError

    for name, value in options.items():
        if value:
            rule = f"must be absent: only {kind} take it"
            raise InputError(rule, field=f"--{name.replace('_', '-')}", value=value)
