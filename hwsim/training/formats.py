"""Pricing number formats as others, where an architecture does not know those that a step was traced in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hwsim import formats
from hwsim.errors import InputError
from hwsim.training.facts import Facts
from hwsim.training.run import TrainingRun
from hwsim.training.tally import Column
from hwsim.workload import Workload

_REPORTED = ("weights", "activations", "reads", "gradients", "errors")


def reformatted(work: Workload | TrainingRun, others: Mapping[str, str]) -> Workload | TrainingRun:
    """Return ``work`` with every format that is a key of ``others`` replaced by its value.

    Raises
    ------
    InputError
        If no operand and no report has one of the formats, or there is no such format.
    """
    for name in others.values():
        formats.parse(name)
    found: set[str] = set()
    new: Workload | TrainingRun
    if isinstance(work, Workload):
        new = _workload(work, others, found)
    else:
        columns = tuple(_column(column, others, found) for column in work.tally.columns)
        executions = tuple((_workload(step, others, found), times) for step, times in work.executions)
        new = replace(work, executions=executions, tally=replace(work.tally, columns=columns))
    if unused := others.keys() - found:
        raise InputError("must be a format of the run", field="formats", value=min(unused))
    return new


def _workload(workload: Workload, others: Mapping[str, str], found: set[str]) -> Workload:
    operators = []
    for operator in workload.operators:
        names = {operand.format for operand in operator.operands} & others.keys()
        found |= names
        operands = tuple(
            operand.model_copy(update={"format": others.get(operand.format, operand.format)})
            for operand in operator.operands
        )
        operators.append(operator.model_copy(update={"operands": operands}) if names else operator)
    return workload.model_copy(update={"operators": tuple(operators)})


def _column(column: Column, others: Mapping[str, str], found: set[str]) -> Column:
    told = {name: getattr(column.facts, name) for name in _REPORTED}
    changes = {name: others[value] for name, value in told.items() if value in others}
    found |= {told[name] for name in changes}
    return column._replace(facts=Facts.model_validate({**column.facts.model_dump(), **changes})) if changes else column
