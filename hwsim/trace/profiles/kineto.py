"""Kineto (Chrome) traces of PyTorch's profiler, recorded with ``record_shapes=True``.

The trace names every operator with the shapes, strides and types of its arguments, on CPU and GPU alike (kernels are
not needed). It does not identify tensors: the workload has no dependences, and says so. Results are not recorded
either; they come from running each operator on tensors without data. With ``with_stack=True`` modules have paths.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, Field, TypeAdapter

from hwsim.errors import InputError
from hwsim.trace.lowering import Unknown
from hwsim.trace.profiles import schemas
from hwsim.trace.profiles.assembly import Profile, scope_of, without_number
from hwsim.trace.profiles.events import Event, Surroundings, calls
from hwsim.trace.profiles.linking import Linker
from hwsim.trace.profiles.replay import Replay
from hwsim.trace.records import Record, TensorRef, refs
from hwsim.workload.importers.reading import checked, located, parse_json
from hwsim.workload.workload import Workload

_KINDS = frozenset({"cpu_op", "user_annotation", "python_function"})
_Extent = Annotated[int, Field(ge=0, le=2**48)]
_Time = Annotated[float, Field(allow_inf_nan=False)]
_LONGEST_LITERAL = 10_000
_INCOMPLETE = " (with arguments that the profile leaves out)"


class _Entry(BaseModel):
    name: str
    ts: _Time
    dur: _Time = 0
    pid: int | str = 0
    tid: int | str = 0
    args: dict[str, Any] = {}


_ENTRY = TypeAdapter(_Entry)
_SHAPE = TypeAdapter(tuple[_Extent, ...])
_STRIDE = TypeAdapter(tuple[Annotated[int, Field(ge=0)], ...])


def load(path: Path | str, data: bytes, unknown: Unknown = "error") -> Workload:
    """Return the last step of a trace (all of it if no ``ProfilerStep`` is marked), without dependences."""
    document = parse_json(path, data)
    given = document.get("traceEvents") if isinstance(document, dict) else document
    entries = _entries(path, given)
    reader = _Reader(path)
    with located(path, ""):
        found = calls(_tree(entries), schemas.has_rule, schemas.is_free)
        for event, around in sorted(found, key=lambda call: call[0].time_us):  # threads take turns
            reader.add(event, around)
    source = (
        f"PyTorch profile ({len(reader.profile.records)} ATen operators; the file does not identify tensors: "
        f"no dependences)"
    )
    return reader.profile.workload(path, source, unknown, tensors=False)


def _entries(path: Path | str, given: Any) -> list[tuple[str, _Entry]]:
    """Return place and content of the events on the CPU that fall into the last marked step."""
    entries = []
    for index, raw in enumerate(_list(given, path, "traceEvents")):
        if isinstance(raw, dict) and raw.get("ph") == "X" and str(raw.get("cat")) in _KINDS:
            place = f"traceEvents[{index}]"
            entries.append((place, checked(_ENTRY, raw, path, place)))
    steps = [entry for _, entry in entries if entry.name.startswith("ProfilerStep#")]
    if not steps:
        return entries
    last = max(steps, key=lambda step: step.ts)
    return [(place, e) for place, e in entries if last.ts <= e.ts <= last.ts + last.dur and e is not last]


def _tree(entries: Sequence[tuple[str, _Entry]]) -> list[Event]:
    """Nest the events of each thread by time; return the outermost ones."""
    threads: dict[tuple[int | str, int | str], list[tuple[str, _Entry]]] = defaultdict(list)
    for place, entry in entries:
        threads[entry.pid, entry.tid].append((place, entry))
    roots: list[Event] = []
    for members in threads.values():
        members.sort(key=lambda item: (item[1].ts, -item[1].dur))
        open_: list[tuple[float, Event]] = []
        for place, entry in members:
            while open_ and open_[-1][0] <= entry.ts:
                open_.pop()
            sequence, shapes = entry.args.get("Sequence number"), entry.args.get("Input Dims")
            event = Event(
                entry.name, place, entry.args, sequence=sequence if isinstance(sequence, int) else None,
                arity=len(shapes) if isinstance(shapes, list) else 0, time_us=entry.ts,
            )  # fmt: skip
            if open_:
                open_[-1][1].children.append(event)
            else:
                roots.append(event)
            open_.append((entry.ts + entry.dur, event))
    return roots


class _Reader:
    """Turns events into records whose tensors are all different, but for those that `Linker` can tell to be equal."""

    def __init__(self, path: Path | str) -> None:
        self.profile = Profile()
        self._path = path
        self._replay = Replay()
        self._linker = Linker(self.profile)
        self._forward: dict[int, int] = {}
        self._types: dict[tuple[int, ...], torch.dtype] = {}
        self._storages = 0

    def add(self, event: Event, around: Surroundings) -> None:
        """Append the record of an operator, or find the result that becomes a parameter's gradient."""
        if schemas.only_allocates(event.name):
            return
        arguments = self._arguments(event)
        if event.accumulates:
            for ref in refs(tuple(arguments)):
                self._linker.accumulate(ref.shape)
            return
        named: dict[str, Any] = {str(place): value for place, value in enumerate(arguments)}
        outputs: tuple[TensorRef | None, ...] = ()
        written: tuple[str, ...] = ()
        function = self._function(event, arguments) if schemas.has_rule(event.name) else None
        operator = event.name if function or not schemas.has_rule(event.name) else f"{event.name}{_INCOMPLETE}"
        if function is not None:
            named = schemas.converted(function, arguments)
            written = schemas.signature(function).writes(named)
            named = self._linker.linked(event.name, named, around)
            results = self._replay.results(function, named, event.place)
            known = {ref.storage: ref for value in named.values() for ref in refs(value)}
            named = without_number(named)
            outputs = tuple(known[r] if isinstance(r, int) else r and self._new(*r) for r in results)
        record = Record(
            index=len(self.profile.records), operator=operator, arguments=named, outputs=outputs,
            mutated={name: named[name] for name in written if named[name] is not None},
            scope=scope_of(self.profile.paths, around, self._forward), backward=around.backward,
            optimizer=around.optimizer,
        )  # fmt: skip
        if around.linear:
            self.profile.linear.add(record.index)
        self.profile.records.append(record)
        self._linker.note(record, around)

    def _function(self, event: Event, arguments: list[Any]) -> torch._ops.OpOverload | None:
        """Return the overload, or None if the profiler left out an argument: it does so with lists of indices."""
        try:
            return schemas.overload(event.name, arguments, "", event.place)
        except InputError:
            if None in arguments:
                return None
            raise

    def _new(self, shape: tuple[int, ...], stride: tuple[int, ...], dtype: torch.dtype) -> TensorRef:
        self._storages += 1
        self._types[shape] = dtype
        return TensorRef(self._storages, 0, shape, dtype, stride, whole=True)

    def _arguments(self, event: Event) -> list[Any]:
        told = event.inputs
        if "Input Dims" not in told:
            if event.accumulates or not event.name.startswith("aten::"):
                return []
            raise InputError("must have Input Dims: record with record_shapes=True", file=self._path, field=event.place)
        columns = [
            _list(told.get(name), self._path, f"{event.place}.args.{name}")
            for name in ("Input Dims", "Input type", "Input Strides", "Concrete Inputs") if name in told
        ]  # fmt: skip
        if len(columns) < 4 or len({len(column) for column in columns}) != 1:
            rule = "must have Input Dims, Input type, Input Strides and Concrete Inputs of one length"
            raise InputError(rule, file=self._path, field=event.place)
        dims, kinds, strides, texts = columns
        return [self._argument(*given, event.place) for given in zip(dims, kinds, strides, texts, strict=True)]

    def _argument(self, shape: Any, kind: Any, stride: Any, text: Any, place: str) -> Any:
        if kind == "TensorList":
            shapes, strides = _list(shape, self._path, place), _list(stride, self._path, place)
            if len(shapes) != len(strides):
                raise InputError("must have as many strides as shapes", file=self._path, field=place)
            return tuple(self._listed(*item, place) for item in zip(shapes, strides, strict=True))
        if isinstance(kind, str) and kind in schemas.DTYPES:
            return self._tensor(shape, stride, schemas.DTYPES[kind], place)
        if kind not in ("", "Scalar", "ScalarList"):
            raise InputError("type is not known", file=self._path, field=place, value=kind)
        return _literal(text)

    def _listed(self, shape: Any, stride: Any, place: str) -> TensorRef:
        """Return a tensor of a list, whose type the profiler leaves out: that of the last tensor of its shape."""
        extents = checked(_SHAPE, shape, self._path, place)
        return self._tensor(extents, stride, self._types.get(extents, torch.float32), place)

    def _tensor(self, shape: Any, stride: Any, dtype: torch.dtype, place: str) -> TensorRef:
        extents, steps = checked(_SHAPE, shape, self._path, place), checked(_STRIDE, stride, self._path, place)
        if len(extents) != len(steps):
            raise InputError("must have as many strides as sizes", file=self._path, field=place, value=steps)
        return self._new(extents, steps, dtype)


def _list(value: Any, path: Path | str, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise InputError("must be a list", file=path, field=place, value=value)
    return value


def _literal(text: Any) -> Any:
    """Parse the text of a number, a truth value or a list of them; other text stays, and nothing is None."""
    if not isinstance(text, str) or text == "":
        return None
    if text in {"inf", "-inf", "nan"}:
        return float(text)
    if len(text) > _LONGEST_LITERAL:
        return text
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    if isinstance(value, list):
        return tuple(value)
    return value if isinstance(value, int | float) else text
