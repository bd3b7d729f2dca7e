"""A process with TVM that crashes, hangs or fails is an outcome."""

import importlib.util
import signal
import subprocess
import types

import pytest

from flows.kernels import worker
from flows.kernels.worker import KernelError, perform
from hwsim.errors import MissingPackageError

REQUEST = {"kernel": "int8", "shape": {"m": 1, "k": 1, "n": 1}, "cpu": "native"}


@pytest.fixture
def installed(monkeypatch):
    """As if TVM were installed."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: types.ModuleType(name))


def ended(monkeypatch, code, stderr=""):
    done = subprocess.CompletedProcess([], code, "", stderr)
    monkeypatch.setattr(worker.subprocess, "run", lambda *_, **__: done)


def test_a_missing_tvm_names_the_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    words = r"^hwsim kernels needs apache-tvm, which is not installed: pip install 'hwsim\[tvm\]'$"
    with pytest.raises(MissingPackageError, match=words):
        perform("run", REQUEST)


def test_a_crash_is_an_outcome(monkeypatch, installed):
    ended(monkeypatch, -signal.SIGSEGV)
    outcome = perform("run", REQUEST)
    assert (outcome.status, outcome.detail) == ("crashed", "run ended by SIGSEGV")
    with pytest.raises(KernelError, match=r"^TVM crashed: run ended by SIGSEGV$"):
        outcome.checked()


def test_an_error_is_an_outcome_with_its_last_words(monkeypatch, installed):
    ended(monkeypatch, 1, "Traceback\n  ...\nValueError: no\n\n")
    assert perform("run", REQUEST).detail == "ValueError: no"


def test_a_hang_is_an_outcome(installed):
    outcome = perform("run", REQUEST, timeout_s=0.01)
    assert (outcome.status, outcome.detail) == ("timed out", "run took more than 0.01 s")
