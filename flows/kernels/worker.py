"""TVM in a process of its own, with a time limit: a crash, a hang or an error there is an outcome like any other."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from flows.kernels.kernel import Array
from hwsim.errors import HwsimError, MissingPackageError
from hwsim.files import Frozen

TIMEOUT_S = 120.0
REQUEST, REPLY, ARRAYS, RESULTS = "request.json", "reply.json", "arrays.npz", "results.npz"


class KernelError(HwsimError):
    """A task ended otherwise than well."""


class Outcome(Frozen):
    """How a task ended, and what it returned."""

    status: Literal["ok", "failed", "crashed", "timed out"]
    detail: str = ""
    """Of a task that did not end well: its last words."""
    data: dict[str, Any] = {}
    arrays: dict[str, Any] = {}

    def checked(self) -> Outcome:
        """Return this outcome.

        Raises
        ------
        KernelError
            If the task did not end well.
        """
        if self.status != "ok":
            raise KernelError(f"TVM {self.status}: {self.detail}")
        return self


def perform(
    task: str, request: Mapping[str, Any], arrays: Mapping[str, Array] | None = None, timeout_s: float = TIMEOUT_S
) -> Outcome:
    """Run a task of `flows.kernels.tasks` in a process of its own.

    Parameters
    ----------
    request
        Its arguments, plain data.
    arrays
        Arrays that it reads.
    timeout_s
        After which it is killed.

    Raises
    ------
    MissingPackageError
        If TVM is not installed.
    """
    if importlib.util.find_spec("tvm") is None:
        raise MissingPackageError("apache-tvm", "hwsim kernels", "tvm")
    with tempfile.TemporaryDirectory(prefix="hwsim-kernels-") as name:
        folder = Path(name)
        (folder / REQUEST).write_text(json.dumps({"task": task, **request}), encoding="utf-8")
        save(folder / ARRAYS, arrays or {})
        command = [sys.executable, "-m", "flows.kernels.tasks", str(folder)]
        environment = os.environ | {"TVM_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        try:
            done = subprocess.run(  # noqa: S603 (this Python, arguments made here)
                command, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
            )
        except subprocess.TimeoutExpired:
            return Outcome(status="timed out", detail=f"{task} took more than {timeout_s:g} s")
        if done.returncode < 0:
            return Outcome(status="crashed", detail=f"{task} ended by {signal.Signals(-done.returncode).name}")
        if done.returncode:
            words = [line for line in done.stderr.splitlines() if line.strip()]
            return Outcome(status="failed", detail=words[-1] if words else f"status {done.returncode}")
        data = json.loads((folder / REPLY).read_text(encoding="utf-8"))
        with np.load(folder / RESULTS) as results:
            return Outcome(status="ok", data=data, arrays=dict(results))


def save(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays by name, for `numpy.load`."""
    np.savez(path, **arrays)  # type: ignore[arg-type]
