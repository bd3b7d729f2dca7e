"""PyTorch execution traces (``ExecutionTraceObserver``; the Chakra host schema) of real runs.

Every tensor has a storage number, so that data dependences are true. Source: the schema that PyTorch writes,
1.0.1 to 1.1.1-chakra; older ones have no ``inputs.values``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter

from hwsim.errors import InputError
from hwsim.trace.lowering import Unknown
from hwsim.trace.profiles import schemas
from hwsim.trace.profiles.assembly import Profile, scope_of, without_number
from hwsim.trace.profiles.events import Event, Surroundings, calls
from hwsim.trace.records import Record, TensorRef, refs
from hwsim.workload.importers.reading import checked, located, parse_json
from hwsim.workload.workload import Workload

_Extent = Annotated[int, Field(ge=0, le=2**48)]
_Number = Annotated[int, Field(ge=0)]


class _Values(BaseModel):
    values: list[Any]
    shapes: list[Any]
    types: list[str]
    strides: list[Any] | None = None


class _Attribute(BaseModel):
    name: str
    value: Any = None


class _Node(BaseModel):
    id: _Number
    name: str
    ctrl_deps: _Number | None = None
    inputs: _Values
    outputs: _Values
    attrs: list[_Attribute] = []


class _Trace(BaseModel):
    schema_: str = Field(alias="schema")
    nodes: list[_Node]


_TRACE = TypeAdapter(_Trace)
_SHAPE = TypeAdapter(tuple[_Extent, ...])
_STRIDE = TypeAdapter(tuple[_Number, ...])
_TENSOR = TypeAdapter(tuple[int, int, int, int, int, str])


def load(path: Path | str, data: bytes, unknown: Unknown = "error") -> Workload:
    """Return the last step of an execution trace: phases and true dependences, but no module paths."""
    trace = checked(_TRACE, parse_json(path, data), path)
    nodes = _last_step(sorted(trace.nodes, key=lambda node: node.id))
    reader = _Reader(path)
    with located(path, ""):
        for event, around in calls(_tree(nodes), schemas.has_rule, schemas.is_free):
            reader.add(event, around)
    source = f"PyTorch execution trace, schema {trace.schema_} ({len(reader.profile.records)} ATen operators)"
    return reader.profile.workload(path, source, unknown, tensors=True)


def _last_step(nodes: Sequence[_Node]) -> Sequence[_Node]:
    """Return what follows the last mark of a step, if the profiler set any."""
    marks = [index for index, node in enumerate(nodes) if node.name.startswith("ProfilerStep#")]
    return nodes[marks[-1] :] if marks else nodes


def _tree(nodes: Sequence[_Node]) -> list[Event]:
    """Arrange the nodes below the nodes that they ran in, in order of their numbers."""
    events = {node.id: _event(node) for node in nodes}
    roots = []
    for node in nodes:
        # a node runs inside one that began, and so was numbered, before it
        if node.ctrl_deps in events and node.ctrl_deps is not None and node.ctrl_deps < node.id:
            events[node.ctrl_deps].children.append(events[node.id])
        else:
            roots.append(events[node.id])
    return roots


def _event(node: _Node) -> Event:
    told = {attribute.name: attribute.value for attribute in node.attrs}
    sequence = told.get("seq_id")
    overload = str(told.get("op_schema") or "").partition("(")[0]
    known = sequence if isinstance(sequence, int) and sequence >= 0 else None
    return Event(node.name, f"node {node.id}", node.inputs, node.outputs, overload, known, len(node.inputs.values))


class _Reader:
    """Turns events into records, counting how often every storage was written.

    The trace gives the number of a freed storage to a new one: a result that shares nothing with the arguments begins
    a storage of its own.
    """

    def __init__(self, path: Path | str) -> None:
        self.profile = Profile()
        self._path = path
        self._versions: dict[int, int] = {}
        self._numbers: dict[int, int] = {}
        self._ids: list[int] = []
        """Number of a storage in the file, by our number."""
        self._largest: dict[int, int] = {}
        self._forward: dict[int, int] = {}

    def add(self, event: Event, around: Surroundings) -> None:
        """Append the record of an operator, or note the gradient that is accumulated."""
        arguments = self._refs(event.inputs, event.place)
        if event.accumulates:
            self.profile.gradients.update(ref.storage for ref in arguments if isinstance(ref, TensorRef))
            return
        self._renew(event, arguments)
        if schemas.only_allocates(event.name):
            return
        known = schemas.has_rule(event.name)
        bound, written = _bind(event, arguments) if known else (dict(enumerate(arguments)), ())
        named = without_number({str(name): value for name, value in bound.items()})
        for name in written:
            for ref in refs(named[name]):
                self._versions[ref.storage] = self._versions.get(ref.storage, 0) + 1
        record = Record(
            index=len(self.profile.records), operator=event.name, arguments=named,
            outputs=tuple(r if isinstance(r, TensorRef) else None for r in self._results(event)),
            mutated={name: _now(named[name], self._versions) for name in written},
            scope=scope_of(self.profile.paths, around, self._forward), backward=around.backward,
            optimizer=around.optimizer,
        )  # fmt: skip
        if around.linear:
            self.profile.linear.add(record.index)
        self.profile.records.append(record)

    def _renew(self, event: Event, arguments: list[Any]) -> None:
        given = {ref.storage for ref in refs(tuple(arguments))}
        for ref in refs(tuple(self._refs(event.outputs, event.place))):
            if ref.storage not in given:
                self._begin(self._ids[ref.storage])

    def _begin(self, storage: int) -> int:
        self._ids.append(storage)
        self._numbers[storage] = len(self._ids) - 1
        return self._numbers[storage]

    def _results(self, event: Event) -> list[Any]:
        flat: list[Any] = []
        for value in self._refs(event.outputs, event.place):
            flat += value if isinstance(value, tuple) else [value]
        return flat

    def _refs(self, given: _Values, place: str) -> list[Any]:
        strides = given.strides if given.strides is not None else [None] * len(given.values)
        if not len(given.values) == len(given.shapes) == len(given.types) == len(strides):
            raise InputError("must have as many values as shapes, types and strides", file=self._path, field=place)
        return [
            self._ref(value, shape, kind, stride, place)
            for value, shape, kind, stride in zip(given.values, given.shapes, given.types, strides, strict=True)
        ]

    def _ref(self, value: Any, shape: Any, kind: str, stride: Any, place: str) -> Any:
        if kind.startswith("GenericList["):
            kinds = _split(kind[len("GenericList[") : -1])
            value = value if isinstance(value, list) else []
            shape = shape if isinstance(shape, list) else []
            stride = stride if isinstance(stride, list) else [None] * len(value)
            if not len(value) == len(shape) == len(stride) == len(kinds):
                raise InputError("list must have as many values as shapes and types", file=self._path, field=place,
                                 value=kind)  # fmt: skip
            return tuple(self._ref(*item, place) for item in zip(value, shape, kinds, stride, strict=True))
        if kind.startswith("Tensor("):
            return self._tensor(value, shape, kind[len("Tensor(") : -1], stride, place)
        return None if kind == "None" or value == "<None>" or isinstance(value, list | dict) else value

    def _tensor(self, value: Any, shape: Any, kind: str, stride: Any, place: str) -> TensorRef | None:
        _, storage, _, count, _, _ = checked(_TENSOR, value, self._path, place)
        if kind.startswith("nullptr"):
            return None
        extents = checked(_SHAPE, shape, self._path, place)
        steps = _contiguous(extents) if stride is None else checked(_STRIDE, stride, self._path, place)
        if len(steps) != len(extents):
            raise InputError("must have as many strides as sizes", file=self._path, field=place, value=steps)
        number = self._numbers[storage] if storage in self._numbers else self._begin(storage)
        largest = self._largest[number] = max(count, self._largest.get(number, 0))
        return TensorRef(
            number, self._versions.get(number, 0), extents, schemas.dtype_of(kind, place), steps, whole=count >= largest
        )


def _bind(event: Event, arguments: list[Any]) -> tuple[dict[Any, Any], tuple[str, ...]]:
    function = schemas.overload(event.name, arguments, event.overload, event.place)
    bound = schemas.converted(function, arguments)
    return dict(bound), schemas.signature(function).writes(bound)


def _now(value: Any, versions: Mapping[int, int]) -> Any:
    """Return the tensors of an argument as they are after the call."""
    if isinstance(value, TensorRef):
        return TensorRef(value.storage, versions[value.storage], value.shape, value.dtype, value.stride, value.whole)
    return tuple(_now(item, versions) for item in value) if isinstance(value, tuple) else value


def _contiguous(shape: Sequence[int]) -> tuple[int, ...]:
    steps = [1]
    for size in reversed(shape[1:]):
        steps.append(steps[-1] * max(size, 1))
    return tuple(reversed(steps[: len(shape)]))


def _split(kinds: str) -> list[str]:
    """Split the types of a list at the commas outside of brackets."""
    parts, depth, start = [], 0, 0
    for position, letter in enumerate(kinds):
        depth += letter in "[(<"
        depth -= letter in "])>"
        if letter == "," and not depth:
            parts.append(kinds[start:position])
            start = position + 1
    return [*parts, kinds[start:]] if kinds else []
