"""The tensors that outlive a step: parameters, buffers, optimizer state and inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.utils._pytree import tree_leaves

from hwsim.trace.storages import Storages


@dataclass(frozen=True)
class Persistent:
    """Names of persistent storages, by storage number.

    Attributes
    ----------
    owners
        Path of the module that a parameter, its gradient or its optimizer state belongs to.
    gradients
        Those that a parameter's ``grad`` refers to.
    belongs
        Storage of the parameter that a storage of optimizer state belongs to.
    trained
        Parameters, and those that stand in for them during the step (gathered by FSDP).
    """

    parameters: Mapping[int, str]
    buffers: Mapping[int, str]
    states: Mapping[int, str]
    inputs: Mapping[int, str]
    gradients: frozenset[int]
    owners: Mapping[int, str]
    belongs: Mapping[int, int]
    trained: frozenset[int]

    @property
    def names(self) -> dict[int, str]:
        """All that a step is expected to read before writing it."""
        return {**self.inputs, **self.states, **self.buffers, **self.parameters}

    @classmethod
    def of(
        cls,
        storages: Storages,
        modules: Sequence[nn.Module],
        optimizers: Sequence[Optimizer],
        inputs: Any,
        trained: Iterable[int] = (),
    ) -> Persistent:
        """Collect the tensors of ``modules``, ``optimizers`` and ``inputs``."""
        number = storages.number
        tensors = dict(_parameters(modules, optimizers))
        parameters = {number(tensor): name for tensor, name in tensors.items()}
        owners = {storage: name.rpartition(".")[0] for storage, name in parameters.items()}
        gradients = {number(t.grad): owners[number(t)] for t in tensors if t.grad is not None}
        states: dict[int, str] = {}
        belongs: dict[int, int] = {}
        for index, optimizer in enumerate(optimizers):
            for name, tensor, parameter in _states(optimizer):
                of = "" if parameter is None else f" of {tensors[parameter]}"
                states[number(tensor)] = f"optimizer[{index}] {name}{of}"
                if parameter is not None:
                    owners[number(tensor)] = owners[number(parameter)]
                    belongs[number(tensor)] = number(parameter)
        buffers = {number(b): name for module in modules for name, b in module.named_buffers(_prefix(module, modules))}
        leaves = [leaf for leaf in tree_leaves(inputs) if isinstance(leaf, torch.Tensor)]
        given = {number(leaf): f"input[{index}]" for index, leaf in enumerate(leaves)}
        return cls(
            parameters, buffers, states, given, frozenset(gradients), owners | gradients, belongs,
            frozenset(trained) | parameters.keys(),
        )  # fmt: skip


def _parameters(
    modules: Sequence[nn.Module], optimizers: Sequence[Optimizer]
) -> Iterator[tuple[torch.Tensor, str]]:
    """Yield parameters with their names, those of the models last, so that their names win."""
    for index, optimizer in enumerate(optimizers):
        for group in optimizer.param_groups:
            for place, parameter in enumerate(group["params"]):
                yield parameter, f"optimizer[{index}] parameter {place}"
    for module in modules:
        yield from ((parameter, name) for name, parameter in module.named_parameters(_prefix(module, modules)))


def _prefix(module: nn.Module, modules: Sequence[nn.Module]) -> str:
    """As in `ModulePaths`."""
    return type(module).__name__ if len(modules) > 1 else ""


def _states(optimizer: Optimizer) -> Iterator[tuple[str, torch.Tensor, torch.Tensor | None]]:
    """Yield name, tensor and parameter of the optimizer's state, hyperparameters held in tensors included."""
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor):
                yield name, value, parameter
    for group in optimizer.param_groups:
        for name, value in group.items():
            if isinstance(value, torch.Tensor):
                yield name, value, None
