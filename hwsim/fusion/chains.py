"""Chains of operators of which each reads what the one before it writes, and which parts of them may be fused.

Fused operators run where the last of them stands. That is legal if nobody else needs a result of theirs before, and
nobody overwrites in between what they read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwsim.cost.sparse_product import is_sparse_product
from hwsim.workload.operator import Operand, Operator
from hwsim.workload.uses import Uses, reads, storage_of, writes


@dataclass(frozen=True)
class Link:
    """A tensor that one operator of a chain writes and the next one reads."""

    written: Operand
    read: Operand


@dataclass(frozen=True)
class Chain:
    """Operators by their index in the step, and the links between neighbours."""

    indices: tuple[int, ...]
    links: tuple[Link, ...]


def chains_of(operators: Sequence[Operator], uses: Uses) -> list[Chain]:
    """Return disjoint chains of all operators; each result goes on to the first operator that can take it."""
    follower: dict[int, tuple[int, Link]] = {}
    taken: set[int] = set()
    for index, operator in enumerate(operators):
        result = _passed_on(operator) if uses.whole(operator) else None
        for reader in uses.readers.get(result.tensor, ()) if result else ():
            link = _link(operator, result, operators[reader], uses) if result and reader > index else None
            if link and reader not in taken:
                follower[index] = reader, link
                taken.add(reader)
                break
    return [_chain(index, follower) for index in range(len(operators)) if index not in taken]


def legal(indices: Sequence[int], operators: Sequence[Operator], uses: Uses) -> bool:
    """Whether the operators at ``indices``, ascending, may all run where the last of them stands."""
    first, last, members = indices[0], indices[-1], set(indices)
    results = {operand.tensor for index in indices for operand in writes(operators[index])}
    needed = {storage_of(operand.tensor) for index in indices for operand in reads(operators[index]) if operand.tensor}
    early = any(reader < last and reader not in members for one in results for reader in uses.readers.get(one, ()))
    between = (operators[index] for index in range(first, last) if index not in members)
    return not early and not any(storage_of(one.tensor) in needed for other in between for one in writes(other))


def stored(link: Link, members: Sequence[int], uses: Uses) -> bool:
    """Whether the tensor must be written all the same: others than ``members`` read it, or it outlives the step."""
    return not uses.stays(link.written.tensor, frozenset(members))


def _chain(start: int, follower: dict[int, tuple[int, Link]]) -> Chain:
    indices, links = [start], []
    while indices[-1] in follower:
        reader, link = follower[indices[-1]]
        indices.append(reader)
        links.append(link)
    return Chain(tuple(indices), tuple(links))


def _passed_on(operator: Operator) -> Operand | None:
    """The result that a next operator may take over: all of what the operator is about."""
    if is_sparse_product(operator):
        return None
    if operator.is_contraction:
        return operator.written if operator.written.name in {"output", "input"} and operator.written.tensor else None
    if operator.primitive not in {"elementwise", "copy"}:
        return None
    results = [operand for operand in writes(operator) if operand.tensor]
    largest = max(results, key=lambda operand: operand.elements, default=None)
    return largest if largest and largest.elements == operator.largest.elements else None


def _link(maker: Operator, result: Operand, reader: Operator, uses: Uses) -> Link | None:
    """How ``reader`` takes over ``result``, if it can."""
    if maker.count != reader.count or not uses.whole(reader):
        return None
    found = [operand for operand in reads(reader) if operand.tensor == result.tensor]
    if len(found) != 1 or found[0].elements != result.elements or not _same_order(found[0], result):
        return None
    if is_sparse_product(reader):
        return None
    if reader.is_contraction:
        streams = {"output": "input", "input": "output"}.get(reader.written.name)
        return Link(result, found[0]) if found[0].name == streams else None
    spread = result.elements < reader.largest.elements  # what is broadcast must be there before
    return Link(result, found[0]) if reader.primitive in {"elementwise", "copy"} and not spread else None


def _same_order(read: Operand, written: Operand) -> bool:
    """Whether the shapes are one in rows of the same length, or in samples of the same number."""
    here, there = ([size for size in one.shape if size > 1] or [1] for one in (read, written))
    return here == there or here[0] == there[0] or here[-1] == there[-1]
