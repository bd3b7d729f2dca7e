"""Callbacks of trainers, driven by stand-ins for the packages, which are not needed here."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch

from hwsim.errors import HwsimError
from hwsim.training import TrainingRun
from hwsim.training.callbacks import lightning_callback, transformers_callback


@pytest.fixture
def installed(monkeypatch):
    """Put modules with a base class of callbacks in place of the packages."""

    def put(name, base):
        for end in range(1, name.count(".") + 2):
            part = ".".join(name.split(".")[:end])
            monkeypatch.setitem(sys.modules, part, ModuleType(part))
        setattr(sys.modules[name], base, type(base, (), {}))

    return put


def absent(monkeypatch, *names):
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)


def fit(step, begin, epoch, end_of_epoch, end):
    begin()
    for number in range(2):
        epoch(number)
        for _ in range(3):
            step()
        end_of_epoch(number)
    end()


def check(directory, net, optimizer, metrics):
    run = TrainingRun.load(directory)
    assert [(span.epoch, span.steps) for span in run.tally.spans if span.steps] == [(0, 3), (1, 3)]
    assert run.metrics == metrics
    assert not net._forward_pre_hooks
    assert not optimizer._optimizer_step_post_hooks


@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_lightning(installed, monkeypatch, captured, net, momentum, step, tmp_path, package):
    absent(monkeypatch, "lightning", "lightning.pytorch", "pytorch_lightning")
    installed(package, "Callback")
    callback = lightning_callback(tmp_path, name="fit")
    trainer = SimpleNamespace(optimizers=[momentum], current_epoch=0, callback_metrics={})

    def epoch(number):
        trainer.current_epoch = number
        callback.on_train_epoch_start(trainer, net)

    def end_of_epoch(number):
        trainer.callback_metrics = {"acc": torch.tensor(0.25 * number), "note": "text", "many": torch.ones(2)}
        callback.on_train_epoch_end(trainer, net)

    fit(step, lambda: callback.on_train_start(trainer, net), epoch, end_of_epoch, lambda: callback.on_train_end(trainer, net))
    check(tmp_path, net, momentum, {"acc": ((3, 0.0), (6, 0.25))})


def test_an_exception_ends_the_recording(installed, captured, net, momentum, step, tmp_path):
    installed("lightning.pytorch", "Callback")
    callback = lightning_callback(tmp_path)
    trainer = SimpleNamespace(optimizers=[momentum])
    callback.on_train_start(trainer, net)
    step()
    callback.on_exception(trainer, net, ValueError())
    step()
    assert TrainingRun.load(tmp_path).steps == 1


def test_transformers(installed, captured, net, momentum, step, tmp_path):
    installed("transformers", "TrainerCallback")
    callback = transformers_callback(tmp_path)
    state = SimpleNamespace(epoch=None)
    wrapped = SimpleNamespace(optimizer=momentum)  # as accelerate does

    def epoch(number):
        state.epoch = float(number)
        callback.on_epoch_begin(None, state, None)

    fit(
        step, lambda: callback.on_train_begin(None, state, None, model=net, optimizer=wrapped), epoch,
        lambda number: callback.on_log(None, state, None, logs={"loss": 1.0 + number, "when": "now"}),
        lambda: callback.on_train_end(None, state, None),
    )  # fmt: skip
    check(tmp_path, net, momentum, {"loss": ((3, 1.0), (6, 2.0))})


def test_a_missing_package_is_named(monkeypatch, tmp_path):
    absent(monkeypatch, "lightning", "lightning.pytorch", "pytorch_lightning", "transformers")
    with pytest.raises(HwsimError, match=r"^the callback needs lightning, which is not installed: pip install lightning$"):
        lightning_callback(tmp_path)
    with pytest.raises(HwsimError, match=r"^the callback needs transformers, which is not installed: pip install transformers$"):
        transformers_callback(tmp_path)
