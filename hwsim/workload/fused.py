"""The normal form of a workload: chains of elementwise operators fused back into one operator each.

PyTorch runs a normalisation, a softmax or an optimizer sometimes as one kernel and sometimes as ten. What a network
costs should not depend on that, so chains are fused wherever true data dependences allow it, inside one module and
one phase. Contractions, gathers, copies and casts stay as they are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence

from hwsim.workload.merged import merged
from hwsim.workload.operator import Operator
from hwsim.workload.uses import Uses, reads, writes
from hwsim.workload.workload import Workload

_Group = tuple[int, ...]
"""Indices of operators that become one, ascending."""

_Kind = Callable[[Operator], Hashable]
"""What operators must agree in to become one."""


def fuse(workload: Workload, *, across_modules: bool = False) -> Workload:
    """Return ``workload`` with its elementwise operators fused.

    Elementwise operators of one module, phase and count are fused along the tensors that they pass on, if every
    other reader of any of their results runs after the last of them, which is where the fused operator stands. A
    tensor that only they use is no operand any more; one that others use, or that outlives the step, is written.
    All operators that update one parameter become one ``update``, with its step counter, whether the optimizer was a
    loop, a foreach or a fused one.

    Elementary operations are conserved exactly, and so are tensors read before they are written, written last,
    or read by operators that are not fused. Fusing a fused workload changes nothing.

    Parameters
    ----------
    across_modules
        Fuse operators of different modules too, as compilers such as ``torch.compile`` do: a normalisation with the
        activation and the residual sum that follow it.
    """
    kind = _kind if across_modules else _kind_in_module
    operators = workload.operators
    while (fewer := _fused_once(operators, kind)) != operators:
        operators = fewer
    return workload.model_copy(update={"operators": operators})


def _fused_once(operators: Sequence[Operator], kind: _Kind) -> tuple[Operator, ...]:
    uses = Uses.of(operators)
    groups = sorted(_counted(_groups(operators, uses, kind), operators, uses), key=max)
    new = {
        group: merged({index: operators[index] for index in group}, uses)
        for group in groups
        if len(group) > 1 or _is_update(operators[group[0]])
    }
    taken = Counter(operators[group[0]].name for group in groups if group not in new)
    return tuple(_named(new[group], taken) if group in new else operators[group[0]] for group in groups)


def _groups(operators: Sequence[Operator], uses: Uses, kind: _Kind) -> list[_Group]:
    """Grow groups in order of execution: each operator joins those that made what it reads, where that is legal."""
    group_of: dict[int, _Group] = {}
    for index, operator in enumerate(operators):
        fusible = operator.primitive == "elementwise" and uses.whole(operator)
        makers = _makers(index, operators, uses, kind) if fusible else []
        own = _union(index, {group_of[maker] for maker in makers}, operators, uses)
        group_of |= dict.fromkeys(own, own)
    return list(dict.fromkeys(group_of.values()))


def _makers(index: int, operators: Sequence[Operator], uses: Uses, kind: _Kind) -> list[int]:
    """Return the operators that made what the one at ``index`` reads and that it may be fused with."""
    makers = (uses.writer.get(operand.tensor, index) for operand in reads(operators[index]))
    return [
        maker for maker in makers
        if maker < index and kind(operators[maker]) == kind(operators[index]) and uses.whole(operators[maker])
    ]  # fmt: skip


def _kind(operator: Operator) -> Hashable:
    return operator.primitive, operator.phase, operator.count, operator.on_chip, operator.memory_bits


def _kind_in_module(operator: Operator) -> Hashable:
    return operator.module, _kind(operator)


def _union(index: int, groups: set[_Group], operators: Sequence[Operator], uses: Uses) -> _Group:
    """Join ``index`` and all of ``groups`` whose results nobody else needs before ``index``."""
    while True:
        members = {index}.union(*groups)
        early = {group for group in groups if _read_early(group, members, index, operators, uses)}
        if not early:
            return tuple(sorted(members))
        groups = groups - early


def _read_early(group: _Group, members: set[int], end: int, operators: Sequence[Operator], uses: Uses) -> bool:
    results = (operand.tensor for member in group for operand in writes(operators[member]))
    return any(
        reader < end and reader not in members for tensor in results for reader in uses.readers.get(tensor, ())
    )


def _counted(groups: Sequence[_Group], operators: Sequence[Operator], uses: Uses) -> list[_Group]:
    """Join the step counters of a module's parameters, which no tensor connects to them, to their updates in order."""
    counters: dict[str, list[_Group]] = defaultdict(list)
    updates: dict[str, list[_Group]] = defaultdict(list)
    for group in groups:
        first = operators[group[0]]
        if all(_counts(operators[index]) for index in group):
            counters[first.module].append(group)
        elif any(_is_update(operators[index]) for index in group):
            updates[first.module].append(group)
    joined: dict[_Group, _Group] = {}
    for module, found in counters.items():
        if len(found) == len(updates[module]):
            for counter, update in zip(found, updates[module], strict=True):
                members = set(counter + update)
                if not _read_early(counter, members, max(members), operators, uses):
                    joined |= {counter: (), update: tuple(sorted(members))}
    return [whole for group in groups if (whole := joined.get(group, group))]


def _counts(operator: Operator) -> bool:
    states = all(operand.role == "state" and operand.elements == 1 for operand in operator.operands)
    return operator.primitive == "elementwise" and operator.phase == "optimizer" and states


def _is_update(operator: Operator) -> bool:
    updated = any(operand.role == "parameter" for operand in writes(operator))
    return operator.primitive == "elementwise" and operator.phase == "optimizer" and updated


def _named(operator: Operator, taken: Counter[str]) -> Operator:
    """Name a fused operator after what all implementations of it share."""
    title = "update" if _is_update(operator) else "fused"
    where = "" if operator.phase in {"forward", "optimizer"} else operator.phase
    name = ".".join(text for text in (operator.module, title, where) if text)
    taken[name] += 1
    return operator.model_copy(update={"name": name if taken[name] == 1 else f"{name}#{taken[name]}"})
