"""Running an unmodified training script so that it is recorded.

Hooks that PyTorch calls for every module and every optimizer stand in for the context manager: the first module
with trainable parameters that is called outside a step is the model. An epoch begins whenever the ``DataLoader`` that
was iterated last before the first step is iterated anew.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook
from torch.utils.data import DataLoader
from torch.utils.hooks import RemovableHandle

from hwsim.errors import InputError
from hwsim.training.lines import MarkLine
from hwsim.training.log import prepare
from hwsim.training.recorder import Recorder
from hwsim.training.sampling import EVERY, FORMAT, check


def record_script(
    script: Path, arguments: Sequence[str], directory: Path, sample_every: int = EVERY,
    sample_format: str = FORMAT, *, resume: bool = False,
) -> None:  # fmt: skip
    """Run ``script`` as Python would, as ``__main__`` with its own arguments, and record what it trains.

    Parameters
    ----------
    script, arguments
        What to run.
    directory
        Where the record goes.
    sample_every, sample_format, resume
        As `hwsim.record` takes them.

    Raises
    ------
    InputError
        If there is no such script, the directory cannot hold a record, the sampling is not possible, or no training
        step was seen.
    BaseException
        Whatever the script raises, ``SystemExit`` with a status other than 0 included; the record is kept.
    """
    if not script.is_file():
        raise InputError("is a directory, not a script" if script.is_dir() else "script does not exist", file=script)
    check(sample_every, sample_format)
    if not resume:
        prepare(directory)
    watcher = _Watcher(directory, script.stem, sample_every, sample_format, resume=resume)
    try:
        with watcher.hooks():
            _run(script, arguments)
    except SystemExit as end:
        if end.code not in (None, 0):
            raise
    if watcher.recorder is None or not watcher.recorder.log.steps:
        raise InputError(
            "no training step was seen: a module with trainable parameters must be called, "
            "then an optimizer of torch.optim must step", file=script,
        )  # fmt: skip


class _Watcher:
    """Begins a recording when it sees the first model, and finds further ones in later steps."""

    def __init__(self, directory: Path, name: str, sample_every: int, sample_format: str, *, resume: bool) -> None:
        self.recorder: Recorder | None = None
        self._directory, self._name = directory, name
        self._sampled, self._resume = (sample_every, sample_format), resume
        self._handles: dict[torch.nn.Module, list[RemovableHandle]] = {}
        self._loader: DataLoader[Any] | None = None  # of the training; until the first step the one iterated last
        self._epoch = 0

    @contextmanager
    def hooks(self) -> Iterator[None]:
        """Watch within the block."""
        everywhere = [
            register_module_forward_pre_hook(self._before_any_module),
            register_optimizer_step_post_hook(self._after_any_optimizer),
        ]
        iterate = DataLoader.__iter__

        def iterated(loader: DataLoader[Any]) -> Any:
            self._before_iteration(loader)
            return iterate(loader)

        DataLoader.__iter__ = iterated  # type: ignore[method-assign]
        try:
            yield
        finally:
            DataLoader.__iter__ = iterate  # type: ignore[method-assign]
            for handle in chain(everywhere, *self._handles.values()):
                handle.remove()
            if self.recorder:
                self.recorder.close()

    def _before_any_module(self, module: torch.nn.Module, args: Any) -> None:
        if (self.recorder and self.recorder.in_step) or module in self._handles or not torch.is_grad_enabled():
            return
        if not any(parameter.requires_grad for parameter in module.parameters()):
            return
        if self.recorder is None:
            self.recorder = Recorder(self._directory, self._name, module, *self._sampled, resume=self._resume)
            if self._loader is not None:
                before = (mark.epoch for _, mark in self.recorder.log.before.marks if mark.epoch is not None)
                self._epoch = max(before, default=0)
                self.recorder.log.line(MarkLine(epoch=self._epoch))
        self.recorder.begin(module)
        self._follow(module, self.recorder)

    def _before_iteration(self, loader: DataLoader[Any]) -> None:
        if self.recorder is None:
            self._loader = loader
        elif loader is self._loader:
            self._epoch += 1
            self.recorder.log.line(MarkLine(epoch=self._epoch))

    def _follow(self, module: torch.nn.Module, recorder: Recorder) -> None:
        """Record the call in progress when it ends (this hook is not shown its keyword arguments), then all others."""

        def after_first(module: torch.nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            first.remove()
            recorder.forward(module, args, kwargs)
            recorder.passed(module, args, output)
            self._handles[module] = [
                module.register_forward_pre_hook(recorder.forward, with_kwargs=True),
                module.register_forward_hook(recorder.passed),
            ]

        first = module.register_forward_hook(after_first, with_kwargs=True)
        self._handles[module] = [first]

    def _after_any_optimizer(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if self.recorder:
            self.recorder.stepped(optimizer)


def _run(script: Path, arguments: Sequence[str]) -> None:
    argv, path = sys.argv, list(sys.path)
    sys.argv = [str(script), *arguments]
    sys.path.insert(0, str(script.resolve().parent))
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        sys.argv, sys.path[:] = argv, path
