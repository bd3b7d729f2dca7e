"""Capture of one training or inference step, real or fake, as it runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from hwsim.errors import HwsimError
from hwsim.trace.closure import Closure, read_before_written
from hwsim.trace.eager import eager
from hwsim.trace.lowering import Level, Unknown, lower
from hwsim.trace.memory import peak
from hwsim.trace.persistent import Persistent
from hwsim.trace.recorder import Recorder
from hwsim.trace.records import Record
from hwsim.trace.scopes import ModulePaths, Scopes
from hwsim.trace.storages import Storages
from hwsim.workload import Workload

Models = nn.Module | Sequence[nn.Module] | None


class StepCapture:
    """Captures what runs between `start` and `stop`, or inside ``with StepCapture() as capture:``.

    Neither needs to know the model; both may be called from hooks, as long as no other dispatch mode is entered
    between them and left open. Module paths, roles and phases of the operators come from the models, optimizers
    and inputs told afterwards; models that are not told are those that were called.
    """

    def __init__(self) -> None:
        self._scopes = Scopes()
        self._storages = Storages()
        self._recorder = Recorder(self._scopes, self._storages)
        self._running = False
        self._eager = ExitStack()

    def start(self, inside: nn.Module | None = None) -> None:
        """Begin to capture; a forward pre-hook names the module that it is ``inside``."""
        self._eager.enter_context(eager())
        self._scopes.start(inside)
        self._recorder.__enter__()  # type: ignore[no-untyped-call]
        self._running = True

    def stop(self) -> None:
        """End the capture."""
        self._running = False
        self._recorder.__exit__(None, None, None)  # type: ignore[no-untyped-call]
        self._scopes.stop()
        self._eager.close()

    def __enter__(self) -> StepCapture:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def records(self) -> list[Record]:
        """The raw capture, in order of execution."""
        return self._recorder.records

    def workload(
        self,
        *,
        name: str,
        model: Models = None,
        optimizers: Sequence[Optimizer] = (),
        inputs: Any = (),
        samples: int = 1,
        unknown: Unknown = "error",
        level: Level = "update",
    ) -> Workload:
        """Lower the capture.

        Parameters
        ----------
        name
            Of the workload.
        model
            Gives module paths and parameters, or several that do; by default the models that were called.
        optimizers
            Those of the step.
        inputs
            Tensors that the step was given, in any nesting.
        samples
            That one step processes.
        unknown
            ``error``, or ``skip`` to list operators without a rule in the workload's ``skipped``.
        level
            ``update`` makes the update of a parameter one operator, whatever form the optimizer has; ``aten`` keeps
            the operators that ran.

        Raises
        ------
        UnknownOperatorError
            If an operator has no rule and ``unknown`` is ``error``.
        HwsimError
            If the capture is still running or saw no operator.
        """
        if self._running:
            raise HwsimError("the capture is still running: stop it first")
        modules = self._modules(model)
        persistent = Persistent.of(self._storages, modules, optimizers, inputs, self._recorder.trained)
        operators, skipped = lower(self.records, persistent, ModulePaths(self._scopes, modules), unknown, level)
        if not operators:
            raise HwsimError(f"the capture of {name} saw no operator that computes or moves anything")
        source = f"torch {torch.__version__} ({len(self.records)} ATen operators)"
        return Workload(
            name=name, source=source, samples=samples, operators=tuple(operators), skipped=tuple(skipped),
            memory=peak(self.records, persistent, self._storages),
        )  # fmt: skip

    def closure(
        self, *, model: Models = None, optimizers: Sequence[Optimizer] = (), inputs: Any = ()
    ) -> Closure:
        """Compare what the step read before writing it with what it should have."""
        persistent = Persistent.of(self._storages, self._modules(model), optimizers, inputs)
        names = persistent.names
        first = read_before_written(self.records)
        return Closure(
            read_first=frozenset(names.get(storage, text) for storage, text in first.items()),
            expected=frozenset(names.values()),
        )

    def _modules(self, model: Models) -> list[nn.Module]:
        if model is None:
            return self._scopes.roots
        return [model] if isinstance(model, nn.Module) else list(model)
