"""Which module runs, seen through PyTorch's global forward hooks; and the dotted paths of modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils.hooks import RemovableHandle

from hwsim.trace.records import Scope


class Scopes:
    """A stack of the running modules. Holds on to the modules it has met."""

    def __init__(self) -> None:
        self.roots: list[nn.Module] = []
        """Modules with parameters that were called from outside of any module, each once."""
        self.parents: dict[nn.Module, nn.Module] = {}
        """The module that first called each other module."""
        self._stack: list[tuple[nn.Module, int]] = []
        self._handles: list[RemovableHandle] = []

    def start(self, inside: nn.Module | None = None) -> None:
        """Install the hooks; ``inside`` is the module that is already running."""
        self._stack = [] if inside is None else [(inside, -1)]
        self._handles = [
            register_module_forward_pre_hook(self._enter),
            register_module_forward_hook(self._leave, always_call=True),
        ]

    def stop(self) -> None:
        """Remove the hooks."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._stack = []

    @property
    def current(self) -> Scope:
        """Where an operator called now belongs."""
        return self._stack[-1][0] if self._stack else len(self.roots)

    @property
    def backward(self) -> bool:
        """Whether an operator called now is part of a backward pass.

        A forward pass that is recomputed inside the backward pass (activation checkpointing) is not.
        """
        if not self._stack and _recomputes_function():
            return False
        return torch._C._current_graph_task_id() != (self._stack[-1][1] if self._stack else -1)

    @property
    def recomputing(self) -> bool:
        """Whether an operator called now is such a recomputation."""
        return torch._C._current_graph_task_id() != -1 and not self.backward

    def _enter(self, module: nn.Module, args: Any) -> None:
        if self._stack:
            self.parents.setdefault(module, self._stack[-1][0])
        self._stack.append((module, torch._C._current_graph_task_id()))

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        if not self._stack or self._stack[-1][0] is not module:  # it was entered before the capture began
            return
        self._stack.pop()
        if not self._stack and module not in self.roots and next(module.parameters(), None) is not None:
            self.roots.append(module)


class Paths(Protocol):
    """Dotted paths of scopes."""

    def __getitem__(self, scope: Scope, /) -> str:
        """Return the path."""


def _recomputes_function() -> bool:
    """Whether a checkpointed function that is no module runs again; a module is seen by its hooks."""
    hooks = torch._C._autograd._top_saved_tensors_default_hooks(True)
    return hooks is not None and "_recomputation_hook" in getattr(hooks[0], "__qualname__", "")


class ModulePaths:
    """Dotted paths of scopes, as ``named_modules`` of the model spells them.

    Parameters
    ----------
    scopes
        What the capture met.
    modules
        The models; where there are several, each path begins with the class of its model.
    """

    def __init__(self, scopes: Scopes, modules: Sequence[nn.Module]) -> None:
        self._scopes = scopes
        self._names: dict[nn.Module, str] = {}
        for root in modules:
            prefix = type(root).__name__ if len(modules) > 1 else ""
            for name, module in root.named_modules(prefix=prefix):
                self._names.setdefault(module, name)

    def __getitem__(self, scope: Scope) -> str:
        """Return the path; ``loss`` after all models ran, a class name for a module that no model holds."""
        if isinstance(scope, int):
            return "loss" if scope and scope == len(self._scopes.roots) else ""
        if scope in self._names:
            return self._names[scope]
        parent = self._scopes.parents.get(scope)
        inside = self[parent] if parent is not None else ""
        return f"{inside}.{type(scope).__name__}".lstrip(".")
