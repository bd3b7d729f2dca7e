"""Copies of models, optimizers and inputs whose tensors have shapes but no data."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.optim import Optimizer
from torch.utils._pytree import tree_map_only


def fake_mode() -> FakeTensorMode:
    """Return a mode that also takes the real tensors a loss function may hold."""
    return FakeTensorMode(allow_non_fake_inputs=True)


def copied(model: nn.Module, optimizer: Any, *, fake: FakeTensorMode | None) -> tuple[nn.Module, Any]:
    """Copy a model, and an optimizer of its parameters if ``optimizer`` is one, without the optimizer's state.

    With a ``fake`` mode every tensor of the copy is a fake one on the CPU, also where the model is on a GPU or on
    the meta device; no data are copied.
    """
    memo: dict[int, Any] = {}
    if fake is not None:
        with fake:
            memo |= {id(tensor): like(tensor) for tensor in _tensors(model, optimizer)}
    if isinstance(optimizer, Optimizer):
        memo[id(optimizer.state)] = defaultdict(dict)
    return copy.deepcopy((model, optimizer), memo)


def like(tensor: torch.Tensor) -> torch.Tensor:
    """Return an empty tensor on the CPU with the same sizes and strides, for use inside a fake mode."""
    same = torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device="cpu")
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(same, requires_grad=tensor.requires_grad)
    return same.requires_grad_(tensor.requires_grad)


def fake_inputs(inputs: tuple[Any, ...], mode: FakeTensorMode) -> tuple[Any, ...]:
    """Replace every tensor in ``inputs``, in any nesting."""
    with mode:
        replaced: tuple[Any, ...] = tree_map_only(torch.Tensor, like, inputs)
    return replaced


def _tensors(model: nn.Module, optimizer: Any) -> Iterator[torch.Tensor]:
    for module in model.modules():
        yield from _held(vars(module).values())
        yield from (tensor for tensor in module._parameters.values() if tensor is not None)
        yield from (tensor for tensor in module._buffers.values() if tensor is not None)
    if isinstance(optimizer, Optimizer):
        for group in optimizer.param_groups:
            yield from group["params"]


def _held(values: Iterable[Any]) -> Iterator[torch.Tensor]:
    return (value for value in values if isinstance(value, torch.Tensor))
