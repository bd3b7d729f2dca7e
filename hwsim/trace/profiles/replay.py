"""Results of operators that a profile does not show, from running them on tensors without data."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._pytree import tree_leaves

from hwsim.errors import InputError
from hwsim.trace.records import TensorRef

_LOGGER = logging.getLogger("torch._subclasses.fake_tensor")
_FAILURES = (
    RuntimeError, TypeError, ValueError, IndexError, KeyError, AttributeError, AssertionError, ArithmeticError,
    MemoryError,
)  # fmt: skip

Result = tuple[tuple[int, ...], tuple[int, ...], torch.dtype] | int | None
"""Shape, strides and type of a new tensor; or the storage that the result shares."""

class Replay:
    """Runs operators in fake mode, each combination of arguments once.

    Only operators that have a lowering rule may be given: none of them reaches files, devices or code.
    """

    def __init__(self) -> None:
        self._known: dict[Hashable, list[Result]] = {}
        self._mode = FakeTensorMode()

    def results(self, function: torch._ops.OpOverload, arguments: Mapping[str, Any], place: str) -> list[Result]:
        """Return what each result would be.

        Raises
        ------
        InputError
            If the operator refuses its arguments.
        """
        order: dict[int, int] = {}
        key = (function, *((name, _key(value, order)) for name, value in arguments.items()))
        if key not in self._known:
            self._known[key] = self._run(function, arguments, place)
        back = {place: storage for storage, place in order.items()}
        return [back[result] if isinstance(result, int) else result for result in self._known[key]]

    def _run(self, function: torch._ops.OpOverload, arguments: Mapping[str, Any], place: str) -> list[Result]:
        made: dict[int, torch.Tensor] = {}
        order: dict[int, int] = {}
        for value in arguments.values():
            _key(value, order)
        try:
            with _quiet(), self._mode, torch.no_grad():
                given = {name: _tensors(value, made) for name, value in arguments.items()}
                returned = function(**given)
        except _FAILURES as error:
            rule = f"{function} must accept its arguments: {str(error).partition(chr(10))[0]}"
            raise InputError(rule, field=place) from error
        shared = {tensor.untyped_storage()._cdata: order[storage] for storage, tensor in made.items()}
        return [_result(leaf, shared) for leaf in tree_leaves(returned)]

@contextmanager
def _quiet() -> Iterator[None]:
    """Keep PyTorch from printing the failures that become errors of the file."""
    level = _LOGGER.level
    _LOGGER.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        _LOGGER.setLevel(level)


def _result(leaf: Any, shared: Mapping[int, int]) -> Result:
    if not isinstance(leaf, torch.Tensor):
        return None
    known = shared.get(leaf.untyped_storage()._cdata)
    return (tuple(leaf.shape), tuple(leaf.stride()), leaf.dtype) if known is None else known

def _tensors(value: Any, made: dict[int, torch.Tensor]) -> Any:
    if isinstance(value, TensorRef):
        made[value.storage] = torch.empty_strided(value.shape, value.stride, dtype=value.dtype)
        return made[value.storage]
    return [_tensors(item, made) for item in value] if isinstance(value, tuple) else value

def _key(value: Any, order: dict[int, int]) -> Hashable:
    """Return what the result depends on, storages being numbered within the call."""
    if isinstance(value, TensorRef):
        return order.setdefault(value.storage, len(order)), value.shape, value.stride, value.dtype
    if isinstance(value, tuple):
        return tuple(_key(item, order) for item in value)
    return type(value), value
