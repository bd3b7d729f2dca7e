"""Recording from the trainers of Lightning and of Hugging Face, as callbacks that they take.

Neither package is needed unless its callback is asked for.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hwsim.errors import HwsimError
from hwsim.training.recording import Recording, record


def lightning_callback(directory: Path | str, **options: Any) -> Any:
    """Return a callback for ``lightning.Trainer(callbacks=[...])`` that records the fit in ``directory``.

    Epochs and the metrics that the trainer logs come along. ``options`` are those of `hwsim.record`. The module's
    ``forward`` must be what the training step calls, as ``self(batch)``.

    Raises
    ------
    HwsimError
        If neither ``lightning`` nor ``pytorch_lightning`` is installed.
    """
    try:
        from lightning.pytorch import Callback
    except ModuleNotFoundError:
        try:
            from pytorch_lightning import Callback
        except ModuleNotFoundError as error:
            raise HwsimError("the callback needs lightning, which is not installed: pip install lightning") from error

    class HwsimCallback(Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            self._session = _Session(directory, options)

        def on_train_start(self, trainer: Any, module: Any) -> None:
            self._session.begin(module, trainer.optimizers)

        def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
            self._session.epoch(trainer.current_epoch)

        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            self._session.log(trainer.callback_metrics)

        def on_train_end(self, trainer: Any, module: Any) -> None:
            self._session.end()

        def on_exception(self, trainer: Any, module: Any, exception: BaseException) -> None:
            self._session.end()

    return HwsimCallback()


def transformers_callback(directory: Path | str, **options: Any) -> Any:
    """Return a callback for ``transformers.Trainer(callbacks=[...])`` that records the training in ``directory``.

    Epochs and the numbers that the trainer logs come along. ``options`` are those of `hwsim.record`.

    Raises
    ------
    HwsimError
        If ``transformers`` is not installed.
    """
    try:
        from transformers import TrainerCallback
    except ModuleNotFoundError as error:
        raise HwsimError("the callback needs transformers, which is not installed: pip install transformers") from error

    class HwsimCallback(TrainerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self._session = _Session(directory, options)

        def on_train_begin(self, args: Any, state: Any, control: Any, **objects: Any) -> None:
            optimizer = objects["optimizer"]
            self._session.begin(objects["model"], [getattr(optimizer, "optimizer", optimizer)])  # accelerate wraps it

        def on_epoch_begin(self, args: Any, state: Any, control: Any, **objects: Any) -> None:
            self._session.epoch(int(state.epoch or 0))

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **objects: Any) -> None:
            self._session.log(logs or {})

        def on_train_end(self, args: Any, state: Any, control: Any, **objects: Any) -> None:
            self._session.end()

    return HwsimCallback()


class _Session:
    """A recording that begins and ends in different calls."""

    def __init__(self, directory: Path | str, options: Mapping[str, Any]) -> None:
        self._directory, self._options = directory, options
        self._stack = ExitStack()
        self._recording: Recording | None = None

    def begin(self, model: Any, optimizers: Any) -> None:
        self._recording = self._stack.enter_context(record(self._directory, model, *optimizers, **self._options))

    def epoch(self, number: int) -> None:
        if self._recording:
            self._recording.epoch(number)

    def log(self, metrics: Mapping[str, Any]) -> None:
        """Log what are numbers, or tensors of one."""
        values = {n: v for n, v in metrics.items() if isinstance(v, numbers.Real) or getattr(v, "numel", int)() == 1}
        if self._recording and values:
            self._recording.log(**values)

    def end(self) -> None:
        self._recording = None
        self._stack.close()
