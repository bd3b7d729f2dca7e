"""What a captured step is made of: one record per ATen operator, with tensors replaced by their identity."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True, slots=True)
class TensorRef:
    """A tensor at one moment of the step.

    Attributes
    ----------
    storage
        Number of its storage, unique within the capture; views share it.
    version
        How often the storage had been written in place.
    stride
        In elements; an axis of stride 0 is broadcast.
    whole
        Whether it covers its storage, so that writing it leaves no old value behind.
    offset
        Of its first element in the storage, in elements.
    """

    storage: int
    version: int
    shape: tuple[int, ...]
    dtype: torch.dtype
    stride: tuple[int, ...]
    whole: bool
    offset: int = 0

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Shape of what is really in memory: axes made by ``expand`` count once."""
        return tuple(1 if step == 0 else size for size, step in zip(self.shape, self.stride, strict=True))

    @property
    def elements(self) -> int:
        """Number of values, broadcast ones repeated."""
        return math.prod(self.shape)

    @property
    def identity(self) -> str:
        """Text that is equal for equal values."""
        return f"{self.storage}.{self.version}"


Scope = nn.Module | int
"""The innermost running module, or outside of all of them the number of different models already run."""


@dataclass(frozen=True, slots=True)
class Record:
    """One executed ATen operator.

    Attributes
    ----------
    index
        Position in the step.
    operator
        Schema name without overload, such as ``aten::addmm``.
    arguments
        By schema name, defaults included, each tensor as it was before the call.
    outputs
        Returned tensors, flattened; ``None`` for those not asked for.
    mutated
        Arguments written in place, as they are after the call.
    scope
        Where it was called; in the backward pass, where its forward operator was called.
    backward, optimizer
        Whether it ran in the backward pass or inside ``Optimizer.step`` (or ``zero_grad``).
    parameter
        Storage of the leaf whose gradient is being accumulated, in the node that does it.
    listed
        The operator on lists of which this is one element's share.
    update
        Inside ``Optimizer.step``, the class and the number of the call: ``AdamW.step``, ``AdamW.step#2``.
    recomputed
        Whether it is a part of the forward pass that the backward pass runs again (activation checkpointing).
    ranks
        How many devices take part in a collective.
    """

    index: int
    operator: str
    arguments: dict[str, Any]
    outputs: tuple[TensorRef | None, ...]
    mutated: dict[str, Any]
    scope: Scope
    backward: bool
    optimizer: bool
    parameter: int | None = None
    listed: str = ""
    update: str = ""
    recomputed: bool = False
    ranks: int = 0

    @property
    def base(self) -> str:
        """Operator name without the trailing underscore of its in-place form."""
        return self.operator.rstrip("_")

    @property
    def source(self) -> str:
        """Name of the operator that was called."""
        return self.listed or self.operator

    def part(self, index: int, operator: str, count: int) -> Record:
        """Return what an operator on ``count``-long lists does to their elements at ``index``."""

        def pick(value: Any) -> Any:
            if isinstance(value, list | tuple):
                return value[index] if len(value) == count else None
            return value

        return replace(
            self,
            operator=operator,
            listed=self.operator,
            arguments={name: pick(value) for name, value in self.arguments.items()},
            outputs=self.outputs[index : index + 1],
            mutated={name: pick(value) for name, value in self.mutated.items()},
        )


def refs(tree: Any) -> Iterator[TensorRef]:
    """Yield the tensors inside an argument: itself, or the elements of a list."""
    if isinstance(tree, TensorRef):
        yield tree
    elif isinstance(tree, list | tuple):
        for item in tree:
            yield from refs(item)
