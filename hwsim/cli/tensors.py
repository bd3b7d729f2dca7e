"""Show what the tensors of a recorded run look like: density, range and bit toggles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from hwsim.training import TrainingRun
    from hwsim.training.statistics import StepStatistics
    from hwsim.workload import Workload


def tensors(
    directory: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a recorded run.")],
    every: Annotated[
        bool, typer.Option("--all", help="Operands of all operators, not only of convolutions and products.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show what the tensors of a recorded run look like: density, range and bit toggles.

    Values are those of sampled steps: density is the share of exact non-zeros; toggles and zero words are those of the
    quantised words in the order of memory.
    """
    import json as json_text

    from hwsim.errors import InputError
    from hwsim.training import TrainingRun

    run = TrainingRun.load(directory)
    steps = [dict(_step(run, index, every)) for index in range(len(run.executions)) if run.statistics[index]]
    if not steps:
        raise InputError("holds no statistics of tensors: no step was sampled", file=directory)
    if json:
        typer.echo(json_text.dumps({"run": run.name, "steps": steps}))
        return
    for step in steps:
        _print(step)


def _step(run: TrainingRun, index: int, every: bool) -> Iterator[tuple[str, Any]]:
    (workload, times), statistics = run.executions[index], run.statistics[index]
    if statistics is not None:
        yield from (("step", workload.name), ("executions", times), ("sampled", statistics.steps))
        yield from (("unmatched", statistics.unmatched), ("format", statistics.format))
        yield "operands", list(_operands(workload, statistics, every))


def _operands(workload: Workload, statistics: StepStatistics, every: bool) -> Iterator[dict[str, Any]]:
    for operator in workload.operators:
        for operand in operator.operands if every or operator.is_contraction else ():
            known = statistics.of(operand)
            if known is not None:
                yield {
                    "operator": operator.name, "phase": operator.phase, "operand": operand.name,
                    "format": operand.format, "density": known.density, "minimum": known.minimum,
                    "maximum": known.maximum, "toggle_rate": known.toggle_rate,
                    "bit_toggle_rates": known.bit_toggle_rates, "zero_share": known.zero_share,
                    "nonfinite": known.nonfinite, "words": known.words,
                }  # fmt: skip


def _print(step: dict[str, Any]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from hwsim.report.table import WIDTH
    from hwsim.report.units import counted, percent

    left_out = f", {step['unmatched']} more ran other operators and were left out" if step["unmatched"] else ""
    typer.echo(f"{step['step']}: {counted(step['sampled'], 'step')} of {step['executions']:,} sampled{left_out}")
    titles = ("density %", "minimum", "maximum", f"toggles % ({step['format']})", "zero words %")
    table = Table("Operator", "Operand", box=SIMPLE_HEAD, pad_edge=False)
    for title in titles:
        table.add_column(title, justify="right")
    before = ""
    for row in step["operands"]:
        range_ = ("-" if bound is None else f"{bound:.3g}" for bound in (row["minimum"], row["maximum"]))
        shares = percent(row["toggle_rate"]), percent(row["zero_share"])
        name = row["operator"] if row["operator"] != before else ""
        table.add_row(name, row["operand"], percent(row["density"]), *range_, *shares)
        before = row["operator"]
    console = Console()
    (console if console.is_terminal else Console(width=WIDTH)).print(table)
