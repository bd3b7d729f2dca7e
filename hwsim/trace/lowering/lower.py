"""Lowering of the records of a step, each by the rule for its operator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from hwsim.errors import UnknownOperatorError
from hwsim.trace import dataflow
from hwsim.trace.collectives import COLLECTIVES
from hwsim.trace.lowering import (
    attention,
    communication,
    convolution,
    elementwise,
    matmul,
    movement,
    normalisation,
    optimizer,
    pooling,
    recurrence,
    shiftadd,
)
from hwsim.trace.lowering.call import Call, Step, format_of
from hwsim.trace.lowering.pointwise import Rule
from hwsim.trace.lowering.update import Lowered, fuse
from hwsim.trace.persistent import Persistent
from hwsim.trace.phases import Phases
from hwsim.trace.records import Record, TensorRef, refs
from hwsim.trace.roles import Roles
from hwsim.trace.scopes import Paths
from hwsim.workload.operator import Operator
from hwsim.workload.workload import SkippedOperator

Unknown = Literal["error", "skip"]
Level = Literal["update", "aten"]

RULES: Mapping[str, Rule] = {
    **matmul.RULES, **convolution.RULES, **attention.RULES, **normalisation.RULES, **elementwise.RULES,
    **pooling.RULES, **movement.RULES, **optimizer.RULES, **communication.RULES,
    **recurrence.RULES, **shiftadd.RULES,
}  # fmt: skip
"""The rule of every known operator, by its name without overload and trailing underscore."""


def lower(
    records: Sequence[Record],
    persistent: Persistent,
    paths: Paths,
    unknown: Unknown = "error",
    level: Level = "update",
) -> tuple[list[Operator], list[SkippedOperator]]:
    """Return the operators of a step, and those left out because no rule knows them.

    At level ``update`` the update of each parameter is one operator; at level ``aten`` it is what PyTorch ran.

    Raises
    ------
    UnknownOperatorError
        If an operator has no rule, unless ``unknown`` is ``skip``.
    """
    records = [part for record in records for part in optimizer.elements(record)]
    phases = Phases(records, persistent)
    step = Step(phases, Roles(records, persistent, phases), Counter(), _constants(records))
    lowered: list[Lowered] = []
    skipped: list[SkippedOperator] = []
    for record in records:
        if dataflow.is_view(record):
            continue
        call = _call(record, step, paths)
        rule = RULES.get(record.base)
        if rule is not None:
            lowered += [Lowered(record, operator) for operator in rule(call)]
        elif unknown == "skip":
            skipped.append(_skipped(call))
        else:
            raise UnknownOperatorError(_message(call))
    if level == "aten":
        return [one.operator for one in lowered], skipped
    return fuse(lowered, persistent), skipped


def _constants(records: Sequence[Record]) -> frozenset[int]:
    """Return the storages of tensors made from one Python number, such as the step that foreach optimizers add."""
    lifted = (record.outputs[0] for record in records if record.base == "aten::lift_fresh")
    changed = {ref.storage for record in records for value in record.mutated.values() for ref in refs(value)}
    return frozenset(ref.storage for ref in lifted if ref and ref.elements == 1) - changed


def _call(record: Record, step: Step, paths: Paths) -> Call:
    owner = step.roles.owner(record) if step.phases.of(record) == "optimizer" else None
    return Call(record, paths[record.scope] if owner is None else owner, step, _title(record))


def _title(record: Record) -> str:
    if record.base in COLLECTIVES:
        return COLLECTIVES[record.base]
    title = record.source.partition("::")[2].strip("_")
    if title.startswith("scaled_dot_product"):  # the kernel depends on the device; see `attention`
        return "attention_backward" if title.endswith("backward") else "attention"
    return title


def _skipped(call: Call) -> SkippedOperator:
    operands = call.operands()
    return SkippedOperator(
        source=call.record.source, bits=sum(operand.bits for operand in operands), **_place(call)
    )


def _place(call: Call) -> dict[str, str]:
    fields = call.fields()
    return {name: fields[name] for name in ("name", "phase", "module")}


def _message(call: Call) -> str:
    def show(tensors: Iterator[tuple[str, TensorRef]]) -> str:
        return ", ".join(f"{name} {format_of(t.dtype)}{list(t.shape)}" for name, t in tensors) or "nothing"

    where = f"module {call.module!r}" if call.module else "no module"
    return (
        f"{call.record.source} has no lowering rule; it reads {show(dataflow.reads(call.record))} and writes "
        f"{show(dataflow.writes(call.record))}, in {where}, phase {call.step.phases.of(call.record)}; "
        f"unknown='skip' leaves it out and reports it"
    )
