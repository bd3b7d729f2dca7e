"""The folder of a recorded training run: what is written while it trains, and how it is read.

``run.json`` says what the run is, ``structures/N.json`` holds the operators of each distinct step,
``statistics/N.json`` what its tensors look like, and ``steps.jsonl`` grows by one line a step, each a single write, so
that a killed process loses no finished step (see `hwsim.training.lines`). Its writer holds a lock on it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, SupportsFloat

from pydantic import Field

from hwsim.errors import HwsimError, InputError
from hwsim.files import Frozen, read_model, write_text
from hwsim.training import lines
from hwsim.training.history import History
from hwsim.training.statistics import StepStatistics
from hwsim.workload import Workload

_HEADER, _STEPS, _STRUCTURES, _STATISTICS = "run.json", "steps.jsonl", "structures", "statistics"


class Header(Frozen):
    """What ``run.json`` says of a run."""

    schema_: Literal["hwsim/run/1", "hwsim/run/2"] = Field(alias="schema")
    """A log of the first had no states, marks and distinct steps."""
    name: Annotated[str, Field(min_length=1)]
    model: str
    """Class of the model."""
    hwsim: str
    torch: str
    created: str
    """Start of the recording, ISO 8601 with its time zone."""


def read_header(directory: Path) -> Header | None:
    """Return the header of the run recorded in ``directory``, None if there is none.

    Raises
    ------
    InputError
        If ``run.json`` is not the header of a run, or of a newer schema.
    """
    path = directory / _HEADER
    return read_model(path, Header) if path.exists() else None


def read_history(directory: Path) -> History:
    """Return the step log.

    Raises
    ------
    InputError
        If a line is of no known kind; names file and line.
    """
    return History.read(directory / _STEPS)


def read_structure(directory: Path, number: int) -> Workload | None:
    """Return a distinct step of the run, None if the process ended before it could be written."""
    path = _structure_path(directory, number)
    return Workload.load(path) if path.exists() else None


def read_statistics(directory: Path, number: int) -> StepStatistics | None:
    """Return what the tensors of a distinct step look like, None if none of its executions was sampled.

    Raises
    ------
    InputError
        If the file is damaged, foreign or of a newer schema.
    """
    path = _statistics_path(directory, number)
    return read_model(path, StepStatistics) if path.exists() else None


def _statistics_path(directory: Path, number: int) -> Path:
    return directory / _STATISTICS / f"{number}.json"


def _structure_path(directory: Path, number: int) -> Path:
    return directory / _STRUCTURES / f"{number}.json"


def make_writable(directory: Path) -> None:
    """Make ``directory`` if it does not exist; `InputError` if it cannot be written."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot be made: {(error.strerror or str(error)).lower()}", file=directory) from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise InputError("is not writable", file=directory)


def prepare(directory: Path) -> None:
    """Make ``directory`` ready for a record, before any work is done.

    Raises
    ------
    InputError
        If it cannot be written, or holds a record already (records are never overwritten).
    """
    make_writable(directory)
    if any((directory / name).exists() for name in (_HEADER, _STEPS)):
        raise InputError("holds a recorded run already: choose another directory or delete it", file=directory)


def erase(directory: Path) -> None:
    """Delete the record in ``directory``, and nothing else."""
    of_steps = (path for folder in (_STRUCTURES, _STATISTICS) for path in (directory / folder).glob("*.json"))
    for path in (directory / _HEADER, directory / _STEPS, *of_steps):
        path.unlink(missing_ok=True)


class LogWriter:
    """Writes the record of one run; holds a lock, so that no other process writes it too.

    Parameters
    ----------
    directory
        Where the record lies.
    header
        Of the run; that of an earlier recording is kept.
    resume
        Go on with the record that is there, if there is one.

    Raises
    ------
    InputError
        If the directory cannot be written, or holds a record that may not be or cannot be resumed.
    HwsimError
        If a write fails later.
    """

    def __init__(self, directory: Path, header: Header, *, resume: bool = False) -> None:
        before = read_header(directory) if resume else None
        if before is None:
            prepare(directory)
            write_text(directory / _HEADER, header.model_dump_json(by_alias=True, indent=1) + "\n")
        elif (before.schema_, before.model) != (header.schema_, header.model):
            rule = f"can only be resumed with the model {before.model} and schema {before.schema_}"
            raise InputError(rule, file=directory, value=f"{header.model} and {header.schema_}")
        self.directory = directory
        self._path = directory / _STEPS
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, mode=0o666)
        self.before = self._locked()
        """What was recorded earlier."""
        self.steps = self.before.steps
        """Steps written so far."""

    def _locked(self) -> History:
        """Lock the log, drop a line that a kill has cut, and return the others."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            history = History.read(self._path)
            os.truncate(self._path, history.size)
        except BlockingIOError as error:
            os.close(self._file)
            raise InputError("is being written by another process or recording", file=self.directory) from error
        except InputError:
            os.close(self._file)
            raise
        return history

    def step(self, structure: int, samples: int, state: str | tuple[str, ...] | None = None) -> None:
        """Append a finished step; without ``state`` that of the step before holds."""
        if state is None:
            self._append(f'{{"structure":{structure},"samples":{samples}}}\n')
        elif isinstance(state, str):
            self._append(f'{{"structure":{structure},"samples":{samples},"state":"{state}"}}\n')
        else:
            self.line(lines.StepLine(structure=structure, samples=samples, state=state))
        self.steps += 1

    def line(self, line: lines.Line) -> None:
        """Append any line."""
        self._append(lines.text(line))

    def metrics(self, values: Mapping[str, SupportsFloat]) -> None:
        """Append numbers that belong to the steps so far.

        Raises
        ------
        InputError
            If a value is not a number; infinities and NaN are (a run may diverge).
        """
        numbers = {name: _number(name, value) for name, value in values.items()}
        self.line(lines.MetricsLine(step=self.steps, metrics=numbers))

    def structure(self, number: int, workload: Workload) -> None:
        """Write the operators of a distinct step, replacing what was known of it."""
        workload.save(_structure_path(self.directory, number))

    def statistics(self, number: int, statistics: StepStatistics) -> None:
        """Write what the tensors of a distinct step look like, replacing what was known of them."""
        write_text(_statistics_path(self.directory, number), statistics.model_dump_json(by_alias=True) + "\n")

    def close(self) -> None:
        """Close the step log, which ends the lock."""
        os.close(self._file)

    def _append(self, line: str) -> None:
        data = line.encode()
        try:
            written = os.write(self._file, data)
        except OSError as error:
            raise HwsimError(f"cannot write {self._path}: {(error.strerror or str(error)).lower()}") from error
        if written != len(data):
            raise HwsimError(f"cannot write {self._path}: no space left on device")


def _number(name: str, value: SupportsFloat) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise InputError("metric must be a number", field=name, value=value) from error
