"""The update of one parameter as one operator, whatever form of the optimizer computed it.

PyTorch's optimizers run as a loop of small operators on each parameter, as operators on lists of tensors (foreach) or
as one kernel (fused). All compute the same; the fused one moves every tensor once. That is the form kept here: one
operator per parameter and step, which reads the parameter, its gradient and its state and writes what it changes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from hwsim.trace.persistent import Persistent
from hwsim.trace.records import Record
from hwsim.workload.operator import Operand, Operator

_ORDER = ("parameter", "gradient", "state", "activation", "index")


@dataclass(frozen=True)
class Lowered:
    """An operator and the record it was made from."""

    record: Record
    operator: Operator


def fuse(lowered: Sequence[Lowered], persistent: Persistent) -> list[Operator]:
    """Fuse what each call of ``Optimizer.step`` does to each parameter.

    Left as they are: operators that work on several parameters at once, and contractions.
    """
    readers: Counter[str] = Counter(o.tensor for one in lowered for o in _read(one.operator))
    made = {o.tensor for one in lowered for o in one.operator.operands if o.access == "write"}
    operators: list[Operator] = []
    for update, group in groupby(lowered, key=lambda one: one.record.update):
        if not update:
            operators += [one.operator for one in group]
            continue
        for part in _parts(list(group), persistent):
            fused = _fused(part, update, persistent, readers, made)
            operators += [one.operator for one in part] if fused is None else [fused]
    return operators


def _parts(group: list[Lowered], persistent: Persistent) -> Iterator[list[Lowered]]:
    """Split an update into operators that work on common tensors, of which one is written."""

    def keys(operands: Iterable[Operand]) -> list[int]:
        storages = (_storage(operand) for operand in operands)
        return [persistent.belongs.get(storage, storage) for storage in storages]

    written = {key for one in group for key in keys(o for o in one.operator.operands if o.access == "write")}
    root = {key: key for key in written}

    def find(key: int) -> int:
        while root[key] != key:
            root[key] = key = root[root[key]]
        return key

    touched = [[key for key in keys(one.operator.operands) if key in written] for one in group]
    for shared in touched:
        for key in shared[1:]:
            root[find(key)] = find(shared[0])
    parts: dict[int, list[Lowered]] = defaultdict(list)
    for one, shared in zip(group, touched, strict=True):
        parts[find(shared[0])].append(one)
    yield from parts.values()


def _fused(
    part: list[Lowered], update: str, persistent: Persistent, readers: Mapping[str, int], made: set[str]
) -> Operator | None:
    """Return the one operator, or nothing where the part is not elementwise work on one parameter."""
    operators = [one.operator for one in part]
    last = {_storage(o): o for operator in operators for o in operator.operands if o.access == "write"}
    parameters = [storage for storage in last if storage in persistent.parameters]
    if len(parameters) != 1 or any(operator.primitive not in {"elementwise", "copy"} for operator in operators):
        return None
    inside = Counter(o.tensor for operator in operators for o in _read(operator))
    lasting = persistent.names
    # a gradient that is used as scratch memory, and never read again, is no result
    written = [o for storage, o in last.items() if storage in lasting or readers[o.tensor] > inside[o.tensor]]
    # constants of one element, such as what is added to the step counter, are no operands
    known = lasting.keys() | persistent.gradients
    read = {o.tensor: o for o in _first_read(operators) if o.elements > 1 or o.tensor in made or _storage(o) in known}
    elements = last[parameters[0]].elements
    work: Counter[Any] = Counter()
    for operator in operators:
        work.update({kind: times * operator.points for kind, times in operator.arithmetic.items()})
    return Operator(
        name=f"{persistent.parameters[parameters[0]]}.{update}", primitive="elementwise", phase="optimizer",
        module=operators[0].module, source=update.partition("#")[0], dims={"x": elements},
        operands=tuple(_plain(o) for o in sorted([*read.values(), *written], key=_place)),
        arithmetic={kind: times / elements for kind, times in sorted(work.items())},
    )  # fmt: skip


def _first_read(operators: list[Operator]) -> Iterator[Operand]:
    """Yield what is read before any of the operators writes it."""
    written: set[str] = set()
    for operator in operators:
        yield from (o for o in _read(operator) if o.tensor not in written)
        written.update(o.tensor for o in operator.operands if o.access == "write")


def _read(operator: Operator) -> Iterator[Operand]:
    return (o for o in operator.operands if o.access == "read" and o.elements)


def _plain(operand: Operand) -> Operand:
    return operand.model_copy(update={"name": operand.role, "projection": ()})


def _place(operand: Operand) -> tuple[Any, ...]:
    return operand.access, _ORDER.index(operand.role), -operand.elements, operand.shape, operand.format


def _storage(operand: Operand) -> int:
    return int(operand.tensor.partition(".")[0])
