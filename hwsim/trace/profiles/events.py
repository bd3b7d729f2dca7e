"""The tree of events that both profilers write, and which of them become records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

_BACKWARD = "autograd::engine::evaluate_function"
_ACCUMULATE = "torch::autograd::AccumulateGrad"
_OPTIMIZER = ("Optimizer.step#", "Optimizer.zero_grad#")
_MODULE = "nn.Module: "
_CONTAINERS = frozenset({"autograd", "torch", "profiler", "record_function"})
"""Namespaces of events that only enclose others; their leaves did nothing."""


@dataclass(slots=True)
class Event:
    """One event with those that ran inside it.

    Attributes
    ----------
    place
        What the file calls it, for errors.
    inputs
        Arguments as the profiler wrote them: see `hwsim.trace.profiles.kineto` and ``execution_trace``.
    overload
        Full name of the operator's overload where the file has it.
    sequence
        Autograd's number, which a forward operator and its backward node share.
    arity
        Number of arguments.
    time_us
        When it began, where the file has it.
    """

    name: str
    place: str
    inputs: Any = None
    outputs: Any = None
    overload: str = ""
    sequence: int | None = None
    arity: int = 0
    time_us: float = 0
    children: list[Event] = field(default_factory=list)

    @property
    def accumulates(self) -> bool:
        """Whether it is the node that hands a gradient to its parameter."""
        return self.name == _ACCUMULATE


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What encloses an event.

    Attributes
    ----------
    modules
        Running modules, outermost first.
    linear
        Whether it is part of ``aten::linear``, whose second and third arguments are parameters.
    sequence
        Of the innermost event that has one.
    node
        Number of the backward node in the file.
    """

    backward: bool = False
    optimizer: bool = False
    linear: bool = False
    modules: tuple[str, ...] = ()
    sequence: int | None = None
    node: int = -1

    def inside(self, event: Event, count: int) -> Surroundings:
        """Return what encloses the children of ``event``."""
        if event.name.startswith(_BACKWARD):
            return replace(self, backward=True, node=count)
        if event.name.startswith(_OPTIMIZER):
            return replace(self, optimizer=True)
        if event.name.startswith(_MODULE):
            return replace(self, modules=(*self.modules, event.name.removeprefix(_MODULE)))
        if event.name == "aten::linear":
            return replace(self, linear=True, sequence=event.sequence)
        if event.sequence is not None:
            return replace(self, sequence=event.sequence)
        return self


def calls(
    roots: Sequence[Event], known: Callable[[str], bool], free: Callable[[str], bool]
) -> Iterator[tuple[Event, Surroundings]]:
    """Yield, in order of execution, the outermost operators with a rule, and gradient accumulations.

    An operator without a rule gives way to those inside it; one that has none inside is yielded too, unless it is
    ``free``: it then needs a rule that does not exist.
    """
    count = 0
    stack = [(event, Surroundings()) for event in reversed(roots)]
    while stack:
        event, around = stack.pop()
        count += 1
        if event.accumulates or (known(event.name) and not _redispatches(event)):
            yield event, around if event.sequence is None else replace(around, sequence=event.sequence)
        elif event.children:
            inside = around.inside(event, count)
            stack += [(child, inside) for child in reversed(event.children)]
        elif _is_operator(event.name) and not free(event.name):
            yield event, around


def _redispatches(event: Event) -> bool:
    """Whether an operator only casts its arguments, as autocast does, and then calls itself with as many."""
    return any(child.name == event.name and child.arity == event.arity for child in event.children)


def _is_operator(name: str) -> bool:
    space, separator, _ = name.partition("::")
    return bool(separator) and space not in _CONTAINERS and " " not in name
