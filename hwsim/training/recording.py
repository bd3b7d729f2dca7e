"""The one line around a training loop that records it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsFloat

from hwsim.errors import InputError
from hwsim.training.lines import MarkLine
from hwsim.training.log import LogWriter

if TYPE_CHECKING:
    from torch.nn import Module
    from torch.optim import Optimizer


class Recording:
    """What a training script sees of its own recording."""

    def __init__(self, log: LogWriter) -> None:
        self._log = log

    @property
    def steps(self) -> int:
        """Training steps recorded so far."""
        return self._log.steps

    def log(self, **metrics: SupportsFloat) -> None:
        """Store numbers, such as ``loss=0.3, accuracy=0.9``, with the steps so far.

        Raises
        ------
        InputError
            If a value is not a number.
        """
        self._log.metrics(metrics)

    def epoch(self, number: int) -> None:
        """Say that the steps that follow belong to epoch ``number``."""
        self._log.line(MarkLine(epoch=number))

    def stage(self, name: str) -> None:
        """Say that a stage of the training begins, such as ``4 bits``."""
        self._log.line(MarkLine(stage=name))


@contextmanager
def record(
    directory: Path | str,
    model: Module,
    *optimizers: Optimizer,
    name: str | None = None,
    sample_every: int = 500,
    sample_format: str = "int8",
    resume: bool = False,
) -> Iterator[Recording]:
    """Record every training step of ``model`` inside the ``with`` block; nothing else about the loop changes.

    A step is what happens between a call of ``model`` with gradients enabled and the end of ``optimizer.step()``;
    calls without gradients (evaluation) are not counted. Each distinct step is traced to operators, every further
    one is counted in a line of the log, so that a killed run keeps all its finished steps. What distinguishes
    steps: shapes and types of the tensors given to ``model`` (in containers that PyTorch's pytrees know), flags
    among its arguments, ``model.training`` and which parameters require gradients. What techniques tell of modules
    (`hwsim.annotate`), masks of ``torch.nn.utils.prune`` and bits of ``torch.ao`` fake quantisers are facts of a step.

    Parameters
    ----------
    directory
        Where the record goes; made if needed, must not hold one already.
    model
        Called as ``model(...)``, which is what runs its hooks.
    optimizers
        One, or several that step one after another.
    name
        What the run is called in reports; the class of the model unless given.
    sample_every
        Steps between two samples of what the tensors of a distinct step look like; 0 for none.
    sample_format
        Number format whose bit toggles are counted: ``intN``, ``pow2z_N`` or a format of floats.
    resume
        Go on with the record in ``directory`` if there is one, of the same class of model.

    Raises
    ------
    InputError
        If the directory cannot be written, holds a record that is not to be resumed or is being written, or an argument
        is of the wrong kind.
    UnknownOperatorError
        From ``optimizer.step()``, if the step uses an operator that the tracer does not know.
    """
    from hwsim.training.recorder import Recorder
    from hwsim.training.sampling import check

    _check(model, optimizers)
    check(sample_every, sample_format)
    name = name or type(model).__name__
    recorder = Recorder(Path(directory), name, model, sample_every, sample_format, resume=resume)
    handles = [
        model.register_forward_pre_hook(recorder.forward, with_kwargs=True),
        model.register_forward_hook(recorder.passed),
    ]
    handles += [optimizer.register_step_post_hook(recorder.stepped) for optimizer in optimizers]
    try:
        yield Recording(recorder.log)
    finally:
        for handle in handles:
            handle.remove()
        recorder.close()


def _check(model: Any, optimizers: tuple[Any, ...]) -> None:
    from torch.nn import Module
    from torch.optim import Optimizer

    if not isinstance(model, Module):
        raise InputError("model must be a torch.nn.Module", value=model)
    if not optimizers:
        raise InputError("at least one optimizer must be given")
    for optimizer in optimizers:
        if not isinstance(optimizer, Optimizer):
            raise InputError("optimizer must be a torch.optim.Optimizer", value=optimizer)
