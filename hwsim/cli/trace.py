"""Trace one step of a PyTorch model and write its operators as a workload."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hwsim.workload import Workload


def trace(
    target: Annotated[
        str, typer.Argument(help="FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION, or a network's name.")
    ],
    level: Annotated[
        str, typer.Option(help="aten: what PyTorch ran; update: one operator per parameter update; fused: normal form.")
    ] = "update",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Workload to write (.json); FUNCTION.json unless given.")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Samples, for a network by its name.")] = None,
    replicas: Annotated[
        int | None, typer.Option(min=2, help="Write the step of one of so many data-parallel replicas.")
    ] = None,
    real: Annotated[bool, typer.Option("--real", help="Run on data, for control flow that depends on them.")] = False,
    skip: Annotated[bool, typer.Option("--skip-unknown", help="Leave out and list operators hwsim lacks.")] = False,
) -> None:
    """Trace one step of a PyTorch model and write its operators as a workload.

    FUNCTION returns a dict with model and inputs and, for a training step, loss and optimizer, as hwsim.trace takes
    them; or a tuple of these in this order.
    """
    from hwsim.errors import InputError, MissingPackageError
    from hwsim.workload.data_parallel import data_parallel

    try:
        from hwsim.trace import target as targets
        from hwsim.trace.step import trace as trace_step
    except ModuleNotFoundError as error:
        raise MissingPackageError(error.name or "a package", "tracing", "torch") from error

    path = output or Path(f"{target.rpartition(':')[2]}.json")
    if output and output.suffix != ".json":
        raise InputError("name of the workload must end in .json", file=path)
    arguments = targets.load_target(target, batch=batch)
    workload = trace_step(
        **arguments, level=level, fake=not real, unknown="skip" if skip else "error"  # type: ignore[arg-type]
    )  # fmt: skip
    workload = data_parallel(workload, replicas) if replicas else workload
    workload.save(path)
    for line in _summary(workload):
        typer.echo(line)
    typer.echo(f"Done: workload in {path}")


def _summary(workload: Workload) -> list[str]:
    """Operators and multiply-accumulates of each phase, what is read of parameters, and what is not covered."""
    from hwsim.report.units import counted, in_units, percent

    lines = [f"{workload.name}: {counted(len(workload.operators), 'operator')}, {counted(workload.samples, 'sample')}"]
    for phase in dict.fromkeys(operator.phase for operator in workload.operators):
        of_phase = [operator for operator in workload.operators if operator.phase == phase]
        macs = sum(operator.macs * operator.count for operator in of_phase)
        lines.append(f"  {phase:11} {counted(len(of_phase), 'operator')}, {in_units(macs, 'MAC')}")
    parameters = _parameters(workload)
    stored = in_units(sum(bits for _, bits in parameters) / 8, "B")
    lines.append(f"  parameters  {sum(elements for elements, _ in parameters):,} read, {stored}")
    skipped = sum(operator.bits for operator in workload.skipped)
    moved = sum(operator.bits_moved * operator.count for operator in workload.operators)
    lines.append(f"  covered     {percent(moved / (moved + skipped or 1))} % of the bytes that operators touch")
    lines += [f"  skipped     {operator.source} in {operator.module or 'no module'}" for operator in workload.skipped]
    return lines


def _parameters(workload: Workload) -> list[tuple[int, int]]:
    """Elements and bits of each parameter that the step reads before it writes it."""
    written: set[str] = set()
    found: dict[str, tuple[int, int]] = {}
    for operator in workload.operators:
        for operand in operator.operands:
            if operand.role == "parameter" and operand.access == "read" and operand.tensor not in written:
                size = operand.elements, operand.bits
                found[operand.tensor] = max(found.get(operand.tensor, size), size)
        written |= {operand.tensor for operand in operator.operands if operand.access == "write"}
    return list(found.values())
