"""Which tensors of a profile without tensor identities are the same, as far as phases of gradients need it.

A backward node has the sequence number of its forward operator: of a product in it, the factor with the shape of a
forward operand is that operand, and the other is a gradient. A parameter's gradient is accumulated right after the node
that made it, which also tells the parameter.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hwsim.trace.phases import PASSES_ON
from hwsim.trace.profiles.assembly import Profile
from hwsim.trace.profiles.events import Surroundings
from hwsim.trace.records import Record, TensorRef

_PRODUCTS = {
    "aten::mm": ("self", "mat2"), "aten::bmm": ("self", "mat2"), "aten::addmm": ("mat1", "mat2"),
    "aten::baddbmm": ("batch1", "batch2"), "aten::mv": ("self", "vec"), "aten::dot": ("self", "tensor"),
}  # fmt: skip
_OPERANDS = {"aten::convolution": ("input", "weight"), **_PRODUCTS}
_RESHAPED = 8
"""How many results back one of another shape is looked for."""

Shape = tuple[int, ...]


@dataclass(slots=True)
class _Result:
    ref: TensorRef
    sequence: int | None
    used: bool = False


class Linker:
    """Finds equal tensors while the records of a profile are made, in order."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._forward: dict[int, Record] = {}
        self._results: list[_Result] = []
        self._by_shape: dict[Shape, list[_Result]] = defaultdict(list)
        self._node = -1
        self._products = 0

    def linked(self, operator: str, arguments: Mapping[str, Any], around: Surroundings) -> dict[str, Any]:
        """Return the arguments with the storages that earlier records gave them."""
        named = dict(arguments)
        if not around.backward:
            return named
        if operator.rstrip("_") in PASSES_ON:
            for name, value in named.items():
                if isinstance(value, TensorRef) and (result := self._latest(value.shape, value)) is not None:
                    result.used = True
                    named[name] = replace(value, storage=result.ref.storage)
        forward = self._forward.get(-1 if around.sequence is None else around.sequence)
        if forward is not None and operator in _PRODUCTS and forward.operator in _PRODUCTS:
            self._link_product(operator, named, forward, around)
        if forward is not None and operator == "aten::convolution_backward":
            for name in ("input", "weight"):
                named[name] = _as(named[name], forward.arguments.get(name))
        return named

    def note(self, record: Record, around: Surroundings) -> None:
        """Remember a record for those that come after it."""
        if not (around.backward or around.optimizer) and around.sequence is not None:
            self._forward[around.sequence] = record
        if around.backward:
            for ref in record.outputs:
                if ref is not None:
                    self._results.append(_Result(ref, around.sequence))
                    self._by_shape[ref.shape].append(self._results[-1])

    def accumulate(self, shape: Shape) -> None:
        """Note that a result of ``shape``, perhaps transposed since, is the gradient of a parameter."""
        found = self._latest(shape, None)
        if found is None:
            return
        found.used = True
        self._profile.gradients.add(found.ref.storage)
        forward = self._forward.get(-1 if found.sequence is None else found.sequence)
        for name in reversed(_OPERANDS.get(forward.operator, ()) if forward is not None else ()):
            operand = forward.arguments[name] if forward is not None else None
            if isinstance(operand, TensorRef) and operand.elements == math.prod(shape):
                self._profile.parameters.add(operand.storage)
                return

    def _latest(self, shape: Shape, like: TensorRef | None) -> _Result | None:
        """Return the latest unused backward result of ``shape``, else of its transpose, else of as many elements."""
        elements = math.prod(shape)
        reshaped = [result for result in self._results[-_RESHAPED:] if result.ref.elements == elements]
        for shaped in (self._by_shape[shape], self._by_shape[shape[::-1]]):
            while shaped and shaped[-1].used:
                shaped.pop()
        for results in (self._by_shape[shape], self._by_shape[shape[::-1]], reshaped):
            for result in reversed(results):
                if not result.used and (like is None or like.dtype == result.ref.dtype):
                    return result
        return None

    def _link_product(self, operator: str, named: dict[str, Any], forward: Record, around: Surroundings) -> None:
        if around.node != self._node:
            self._node, self._products = around.node, 0
        first, second = _PRODUCTS[operator]
        a, b = (forward.arguments[name] for name in _PRODUCTS[forward.operator])
        saved = _saved(named[first], named[second], a, b, self._products)
        self._products += 1
        if saved is not None:
            name, operand = (first, second)[saved[0]], saved[1]
            named[name] = replace(named[name], storage=operand.storage, version=operand.version)


def _saved(x: TensorRef, y: TensorRef, a: TensorRef, b: TensorRef, place: int) -> tuple[int, TensorRef] | None:
    """Return which factor of the backward product ``x @ y`` is an operand of the forward ``a @ b``, and which.

    Where shapes leave a choice, strides tell whether the gradient is transposed; then the first product of a node
    is the gradient of ``a``.
    """
    if len(a.shape) < 2 or len(b.shape) < 2:
        return None
    gradient = (*a.shape[:-1], b.shape[-1])
    choices = [  # shapes of both factors, the saved one and its operand, whether the gradient is transposed
        ((gradient, _transposed(b.shape)), 1, b, False),
        ((b.shape, _transposed(gradient)), 0, b, True),
        ((_transposed(a.shape), gradient), 0, a, False),
        ((_transposed(gradient), a.shape), 1, a, True),
    ]
    fitting = [choice for choice in choices if choice[0] == (x.shape, y.shape)]
    if not fitting:
        return None

    def rank(choice: tuple[Any, int, TensorRef, bool]) -> tuple[bool, bool]:
        _, saved, operand, transposed = choice
        return _is_transposed((x, y)[1 - saved]) != transposed, (operand is a) != (place > 0)

    _, saved, operand, _ = min(fitting, key=rank)
    return saved, operand


def _as(value: Any, operand: Any) -> Any:
    if isinstance(value, TensorRef) and isinstance(operand, TensorRef) and value.shape == operand.shape:
        return replace(value, storage=operand.storage, version=operand.version)
    return value


def _transposed(shape: Sequence[int]) -> Shape:
    return (*shape[:-2], shape[-1], shape[-2])


def _is_transposed(ref: TensorRef) -> bool:
    return ref.stride[-2] == 1 != ref.stride[-1]
