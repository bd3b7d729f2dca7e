"""Words of the tensors of a running step, taken where a trace of the same step says that they are.

A traced step tells at which operator each tensor is seen first. Later executions only count operators, far less than
tracing them costs, and copy some words at those places. An execution that runs other operators is noticed.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from hwsim.trace import dataflow
from hwsim.trace.eager import eager
from hwsim.trace.recorder import UNRECORDED, has_parts, tensors
from hwsim.trace.records import Record, TensorRef, refs
from hwsim.trace.signature import Signature
from hwsim.workload import Workload

RUNS, RUN = 16, 512
"""At most so many runs of so many successive words are taken of one tensor at a time."""

Name = tuple[str, int]
"""Identity of a tensor and number of its elements: what an `Operand` says of it."""
Layout = tuple[int, tuple[tuple[int, int], ...]]
"""Offset in the storage, and (stride, size) of its axes, innermost first, neighbours joined where they can be."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a tensor is found: in an argument, before or after the call, or (no argument) in what is returned."""

    name: Name
    argument: str
    position: int
    after: bool
    ref: TensorRef


@dataclass(frozen=True)
class Plan:
    """Names of the operators of a step, and the tensors to sample at each."""

    operators: tuple[str, ...]
    places: dict[int, list[_Place]]

    @classmethod
    def of(cls, records: Sequence[Record], workload: Workload) -> Plan:
        """Find the first place of every floating-point tensor that is an operand of ``workload``.

        Parameters
        ----------
        records
            The capture that ``workload`` was lowered from.
        """
        wanted = {(o.tensor, o.elements) for operator in workload.operators for o in operator.operands}
        places: dict[int, list[_Place]] = defaultdict(list)
        seen: set[tuple[Name, Layout]] = set()
        for record in records:
            if dataflow.is_view(record):
                continue
            for place in _places(record):
                known = place.name, layout(place.ref)
                if place.name in wanted and known not in seen:
                    seen.add(known)
                    places[record.index].append(place)
        return cls(tuple(record.operator for record in records), dict(places))


class Sampler(TorchDispatchMode):
    """Takes words between `start` and `stop`; neither changes what runs.

    Parameters
    ----------
    plan
        Of the step that is expected to run.
    turn
        Number of the sample; each takes other parts of tensors that are too large to be taken whole.
    """

    def __init__(self, plan: Plan, turn: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._plan = plan
        self._turn = turn
        self._signatures: dict[Any, Signature] = {}
        self._index = 0
        self._matched = True
        self._taken: dict[Name, list[torch.Tensor]] = defaultdict(list)
        self._eager = ExitStack()

    def start(self) -> None:
        """Begin to follow the step."""
        self._eager.enter_context(eager())
        self.__enter__()  # type: ignore[no-untyped-call]

    def stop(self) -> None:
        """End following it."""
        self.__exit__(None, None, None)  # type: ignore[no-untyped-call]
        self._eager.close()

    @property
    def matched(self) -> bool:
        """Whether the step ran the operators of the plan, and no others."""
        return self._matched and self._index == len(self._plan.operators)

    def words(self) -> Iterator[tuple[Name, torch.Tensor]]:
        """Yield the words taken of each tensor, on the CPU, shape (runs, words of a run)."""
        for name, taken in self._taken.items():
            for part in taken:
                yield name, part.to("cpu", torch.float64)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if has_parts(types):
            return NotImplemented
        kwargs = kwargs or {}
        signature = self._signatures.get(func)
        if signature is None:
            signature = self._signatures[func] = Signature.of(func)
        if signature.operator in UNRECORDED or not self._matched:
            return func(*args, **kwargs)
        index, self._index = self._index, self._index + 1
        operators = self._plan.operators
        self._matched = index < len(operators) and operators[index] == signature.operator
        places = self._plan.places.get(index, []) if self._matched else []
        if not places:
            return func(*args, **kwargs)
        bound = signature.bind(args, kwargs)
        for place in places:
            if place.argument and not place.after:
                self._take(place, tensors(bound[place.argument]))
        result = func(*args, **kwargs)
        for place in places:
            if place.after:
                self._take(place, tensors(bound[place.argument]) if place.argument else tree_leaves(result))
        return result

    def _take(self, place: _Place, found: Sequence[Any]) -> None:
        tensor = found[place.position] if place.position < len(found) else None
        if isinstance(tensor, torch.Tensor) and _fits(tensor, place.ref):
            self._taken[place.name].append(take(tensor, self._turn))
        else:
            self._matched = False


def _fits(tensor: torch.Tensor, ref: TensorRef) -> bool:
    return (tensor.shape, tensor.stride(), tensor.dtype) == (ref.shape, ref.stride, ref.dtype)


def take(tensor: torch.Tensor, turn: int) -> torch.Tensor:
    """Copy words of ``tensor`` in the order in which they lie in memory: all, or runs that are spread evenly.

    Returns
    -------
    torch.Tensor
        Shape (runs, words of a run), of the type and on the device of ``tensor``; broadcast elements are taken once.
    """
    _, axes = layout_of(tuple(tensor.shape), tensor.stride(), int(tensor.storage_offset()))
    sizes, strides = [size for _, size in reversed(axes)], [stride for stride, _ in reversed(axes)]
    words = tensor.detach().as_strided(sizes, strides).reshape(-1)
    if words.numel() <= RUNS * RUN:
        return words.clone()[None]
    stratum = words.numel() // RUNS
    first = turn * RUN % (stratum - RUN + 1)
    return words[: RUNS * stratum].view(RUNS, stratum)[:, first : first + RUN].clone()


def layout(ref: TensorRef) -> Layout:
    """Return where the tensor lies in its storage; views of the same elements have the same layout."""
    return layout_of(ref.shape, ref.stride, ref.offset)


def layout_of(shape: tuple[int, ...], stride: tuple[int, ...], offset: int) -> Layout:
    """Return the layout of a tensor; axes of stride 0 repeat elements and are no part of it."""
    axes: list[tuple[int, int]] = []
    for step, size in sorted((step, size) for step, size in zip(stride, shape, strict=True) if size > 1 and step):
        if axes and axes[-1][0] * axes[-1][1] == step:
            axes[-1] = axes[-1][0], axes[-1][1] * size
        else:
            axes.append((step, size))
    return offset, tuple(axes)


def _places(record: Record) -> Iterator[_Place]:
    """Yield every tensor of the record: arguments before the call, what it returns, arguments it has written."""
    for name, value in record.arguments.items():
        yield from _numbered(name, refs(value), after=False)
    yield from _numbered("", record.outputs, after=True)
    for name, value in record.mutated.items():
        yield from _numbered(name, refs(value), after=True)


def _numbered(argument: str, found: Iterable[TensorRef | None], *, after: bool) -> Iterator[_Place]:
    for position, ref in enumerate(found):
        if ref is not None and ref.dtype.is_floating_point and ref.elements:
            yield _Place((ref.identity, math.prod(ref.stored_shape)), argument, position, after, ref)
