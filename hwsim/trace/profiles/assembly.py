"""From the records of a profile to a workload, by the rules of the tracer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from hwsim.errors import HwsimError, InputError, UnknownOperatorError
from hwsim.trace import dataflow
from hwsim.trace.lowering import Unknown, lower
from hwsim.trace.persistent import Persistent
from hwsim.trace.profiles.events import Surroundings
from hwsim.trace.records import Record, Scope, TensorRef
from hwsim.workload.importers.reading import located
from hwsim.workload.operator import Operator
from hwsim.workload.workload import Workload

_WEIGHTED = (
    "convolution", "convolution_backward", "embedding", "native_batch_norm", "cudnn_batch_norm", "native_layer_norm",
    "native_group_norm", "_fused_rms_norm",
)  # fmt: skip
_PARAMETERS = {f"aten::{name}": ("weight", "bias") for name in _WEIGHTED}
"""Arguments that are parameters wherever they come from outside of the step."""

_LINEAR = {"aten::addmm": ("self", "mat2"), "aten::mm": ("mat2",)}

_CONTRADICTIONS = (
    ValueError, TypeError, IndexError, KeyError, AttributeError, ArithmeticError, StopIteration, RuntimeError
)  # fmt: skip
"""What the rules of the tracer raise on records that PyTorch cannot have made."""


class Paths:
    """Module paths by scope number."""

    def __init__(self) -> None:
        self._names: dict[str, int] = {}
        self._paths: list[str] = []

    def number(self, modules: Sequence[str]) -> int:
        """Return the scope of the running ``modules``; the outermost is the model and has no name."""
        path = ".".join(modules[1:])
        if path not in self._names:
            self._names[path] = len(self._paths)
            self._paths.append(path)
        return self._names[path]

    def __getitem__(self, scope: Scope) -> str:
        return self._paths[scope] if isinstance(scope, int) else ""


@dataclass
class Profile:
    """What was read of a step.

    Attributes
    ----------
    linear
        Indices of the records inside ``aten::linear``.
    gradients
        Storages that were handed to parameters.
    parameters
        Storages known to be parameters.
    """

    records: list[Record] = field(default_factory=list)
    paths: Paths = field(default_factory=Paths)
    linear: set[int] = field(default_factory=set)
    gradients: set[int] = field(default_factory=set)
    parameters: set[int] = field(default_factory=set)

    def workload(self, path: Path | str, source: str, unknown: Unknown, *, tensors: bool) -> Workload:
        """Lower the records; without ``tensors`` the operators carry no identities and so no dependences."""
        try:
            with located(path, "operators"):
                operators, skipped = lower(self.records, self._persistent(), self.paths, unknown, level="aten")
        except UnknownOperatorError as error:
            raise UnknownOperatorError(f"{path}: {error}") from error
        except InputError:
            raise
        except HwsimError as error:
            raise HwsimError(f"{path}: {error}") from error
        except _CONTRADICTIONS as error:
            raise InputError(f"shapes must agree with their operators: {error!r}", file=path) from error
        if not operators:
            raise InputError("holds no operator that computes or moves anything", file=path)
        if not tensors:
            operators = [_anonymous(operator) for operator in operators]
        return Workload(
            name=Path(path).stem, source=source, operators=tuple(operators), skipped=tuple(skipped)
        )

    def _persistent(self) -> Persistent:
        first = {ref.storage for ref in _read_first(self.records)}
        updated = {ref.storage for record in self.records if record.optimizer for _, ref in dataflow.writes(record)}
        used = {ref.storage for r in self.records if not (r.optimizer or r.backward) for _, ref in dataflow.reads(r)}
        parameters = self.parameters | self._named() | (updated & used)
        parameters = (parameters & first) - self.gradients
        kept = {ref.storage for record in self.records if record.optimizer for _, ref in dataflow.reads(record)}
        states = (kept & first) - parameters - self.gradients - used
        names = dict.fromkeys(parameters, "")
        trained = frozenset(parameters)
        return Persistent(names, {}, dict.fromkeys(states, ""), {}, frozenset(self.gradients), {}, {}, trained)

    def _named(self) -> set[int]:
        found: set[int] = set()
        for record in self.records:
            names: tuple[str, ...] = _PARAMETERS.get(record.base, ())
            if record.index in self.linear and not record.backward:
                names = _LINEAR.get(record.base, names)
            given = (record.arguments.get(name) for name in names)
            found.update(ref.storage for ref in given if isinstance(ref, TensorRef))
        return found


def without_number(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments without an operand ``other`` that is a Python number: PyTorch records it as a tensor."""
    own, other = arguments.get("self"), arguments.get("other")
    if not (isinstance(own, TensorRef) and isinstance(other, TensorRef)):
        return arguments
    number = other.shape == () and other.dtype in (torch.float64, torch.int64) and own.dtype != other.dtype
    return arguments | {"other": None} if number else arguments


def scope_of(paths: Paths, around: Surroundings, forward: dict[int, int]) -> int:
    """Return the scope of an operator; in the backward pass that of its forward operator."""
    if around.backward and around.sequence is not None:
        return forward.get(around.sequence, paths.number(()))
    scope = paths.number(around.modules)
    if around.sequence is not None and not around.optimizer:
        forward[around.sequence] = scope
    return scope


def _read_first(records: Iterable[Record]) -> Iterable[TensorRef]:
    written: set[int] = set()
    for record in records:
        yield from (ref for _, ref in dataflow.reads(record) if ref.storage not in written)
        written.update(ref.storage for _, ref in dataflow.writes(record))


def _anonymous(operator: Operator) -> Operator:
    return operator.model_copy(
        update={"operands": tuple(operand.model_copy(update={"tensor": ""}) for operand in operator.operands)}
    )
