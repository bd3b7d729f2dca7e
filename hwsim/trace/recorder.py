"""The dispatch mode that writes down every ATen operator of a step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode, is_traceable_wrapper_subclass_type
from torch.utils._pytree import tree_leaves

from hwsim.trace.collectives import ranks
from hwsim.trace.records import Record, Scope
from hwsim.trace.scopes import Scopes
from hwsim.trace.signature import Signature
from hwsim.trace.storages import Storages

_STEP = "Optimizer.step#"
_OPTIMIZER_SPANS = (_STEP, "Optimizer.zero_grad#")
_ENTER, _EXIT = "profiler::_record_function_enter_new", "profiler::_record_function_exit"
UNRECORDED = frozenset({"prim::device", "aten::alias", _ENTER, _EXIT})
"""Operators that make no record."""


class Recorder(TorchDispatchMode):
    """Appends one `Record` per operator to ``records``.

    Backward operators are matched to the module of their forward operator by autograd sequence number, optimizer
    operators by the profiler span that every ``torch.optim.Optimizer`` opens around ``step`` and ``zero_grad``.
    """

    def __init__(self, scopes: Scopes, storages: Storages) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.records: list[Record] = []
        self.trained: set[int] = set()
        """Storages of the parameters that got gradients."""
        self._scopes = scopes
        self._storages = storages
        self._signatures: dict[Any, Signature] = {}
        self._spans: list[str] = []
        self._calls: Counter[str] = Counter()
        self._scope_of: dict[int, Scope] = {}
        self._last_scope: Scope = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if has_parts(types):
            return NotImplemented  # what it does to the parts is recorded instead
        kwargs = kwargs or {}
        signature = self._signatures.get(func)
        if signature is None:
            signature = self._signatures[func] = Signature.of(func)
        if signature.operator in UNRECORDED:
            if signature.operator in (_ENTER, _EXIT):
                self._span(signature.operator, args)
            return func(*args, **kwargs)
        backward, scope, parameter = self._place()
        bound = signature.bind(args, kwargs)
        arguments = {name: self._refs(value) for name, value in bound.items()}
        result = func(*args, **kwargs)
        written = signature.writes(bound)
        for name in written:
            for tensor in tensors(bound[name]):
                self._storages.write(tensor)
        leaves = [leaf if isinstance(leaf, torch.Tensor) else None for leaf in tree_leaves(result)]
        for leaf in leaves:
            if signature.view and leaf is not None:
                self._storages.alias(leaf, args[0])
        outputs = tuple(self._refs(leaf) for leaf in leaves)
        mutated = {name: self._refs(bound[name]) for name in written}
        optimizer = any(span.startswith(_OPTIMIZER_SPANS) for span in self._spans)
        self.records.append(
            Record(
                len(self.records), signature.operator, arguments, outputs, mutated,
                scope, backward, optimizer, parameter,
                update=self._update(), recomputed=not backward and self._scopes.recomputing,
                ranks=ranks(signature.operator, bound),
            )
        )  # fmt: skip
        self._storages.clock = len(self.records)
        return result

    def _span(self, operator: str, args: tuple[Any, ...]) -> None:
        if operator == _ENTER:
            self._spans.append(args[0])
            self._calls[args[0]] += 1
        elif self._spans:
            self._spans.pop()

    def _update(self) -> str:
        """Return class and number of the running ``Optimizer.step``, or nothing."""
        span = next((span for span in self._spans if span.startswith(_STEP)), None)
        if span is None:
            return ""
        number = self._calls[span]
        return span.removeprefix(_STEP) + (f"#{number}" if number > 1 else "")

    def _place(self) -> tuple[bool, Scope, int | None]:
        """Return whether this is the backward pass, whose module it is, and the leaf being accumulated."""
        if not self._scopes.backward:
            scope = self._scopes.current
            self._scope_of.setdefault(torch._C._autograd._get_sequence_nr() - 1, scope)
            return False, scope, None
        node = torch._C._current_autograd_node()
        leaf = getattr(node, "variable", None)
        if leaf is not None:
            number = self._storages.number(leaf)
            if isinstance(leaf, torch.nn.Parameter):
                self.trained.add(number)
            return True, self._last_scope, number
        if node is not None:
            self._last_scope = self._scope_of.get(node._sequence_nr(), self._last_scope)
        return True, self._last_scope, None

    def _refs(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return self._storages.ref(value)
        if isinstance(value, list | tuple):
            return tuple(self._refs(item) for item in value)
        return value


def has_parts(types: Iterable[Any]) -> bool:
    """Return whether a call is on a ``DTensor`` or the like, whose parts are tensors of their own."""
    return any(is_traceable_wrapper_subclass_type(kind) for kind in types)


def tensors(value: Any) -> list[torch.Tensor]:
    """Return the tensors of an argument: itself, or the elements of a list."""
    if isinstance(value, torch.Tensor):
        return [value]
    return [tensor for item in value or () for tensor in tensors(item)] if isinstance(value, list | tuple) else []
