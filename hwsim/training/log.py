"""The folder of a recorded training run: what is written while it trains, and how it is read.

``run.json`` says what the run is, ``structures/N.json`` holds the operators of each distinct step,
``statistics/N.json`` what its tensors look like, and ``steps.jsonl`` grows by one line a step, each a single write, so
that a killed process loses no finished step.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, SupportsFloat

from pydantic import Field

from hwsim.errors import HwsimError, InputError
from hwsim.files import Frozen, read_model, validate, write_text
from hwsim.training.statistics import StepStatistics
from hwsim.workload import Workload

_HEADER, _STEPS, _STRUCTURES, _STATISTICS = "run.json", "steps.jsonl", "structures", "statistics"


class Header(Frozen):
    """What ``run.json`` says of a run."""

    schema_: Literal["hwsim/run/1"] = Field(alias="schema")
    name: Annotated[str, Field(min_length=1)]
    model: str
    """Class of the model."""
    hwsim: str
    torch: str
    created: str
    """Start of the recording, ISO 8601 with its time zone."""


class StepLine(Frozen):
    """One finished step."""

    structure: Annotated[int, Field(ge=0)]
    """Number of the file in ``structures`` that holds its operators."""
    samples: Annotated[int, Field(ge=1)]


class MetricsLine(Frozen):
    """Numbers that the training script logged."""

    step: Annotated[int, Field(ge=0)]
    """Steps finished before."""
    metrics: dict[str, float]


def read_header(directory: Path) -> Header | None:
    """Return the header of the run recorded in ``directory``, None if there is none.

    Raises
    ------
    InputError
        If ``run.json`` is not the header of a run, or of a newer schema.
    """
    path = directory / _HEADER
    return read_model(path, Header) if path.exists() else None


def read_lines(directory: Path) -> Iterator[StepLine | MetricsLine]:
    """Yield the lines of the step log; a last line without its end was cut by a kill and is left out.

    Raises
    ------
    InputError
        If a line is not one of the two kinds; names file and line.
    """
    path = directory / _STEPS
    if not path.is_file():
        return
    known: dict[bytes, StepLine] = {}  # almost all lines repeat one of few
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.endswith(b"\n"):
                return
            step = known.get(line)
            if step is None:
                parsed = _parse(line, f"{path}, line {number}")
                if isinstance(parsed, MetricsLine):
                    yield parsed
                    continue
                step = known[line] = parsed
            yield step


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


def _parse(line: bytes, where: str) -> StepLine | MetricsLine:
    try:
        data = json.loads(line)
    except ValueError as error:
        raise InputError("is not well-formed JSON", file=where, value=line) from error
    if isinstance(data, dict) and "metrics" in data:
        return validate(data, MetricsLine, file=where)
    return validate(data, StepLine, file=where)


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
    """Writes the record of one run; not for use by several processes.

    Raises
    ------
    InputError
        If the directory cannot be written or holds a record already.
    HwsimError
        If a write fails later.
    """

    def __init__(self, directory: Path, header: Header) -> None:
        prepare(directory)
        self.directory = directory
        self.steps = 0
        """Steps written so far."""
        write_text(directory / _HEADER, header.model_dump_json(by_alias=True, indent=1) + "\n")
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
        self._path = directory / _STEPS
        self._file = os.open(self._path, flags, mode=0o666)

    def step(self, structure: int, samples: int) -> None:
        """Append a finished step."""
        self._append(f'{{"structure":{structure},"samples":{samples}}}\n')
        self.steps += 1

    def metrics(self, values: Mapping[str, SupportsFloat]) -> None:
        """Append numbers that belong to the steps so far.

        Raises
        ------
        InputError
            If a value is not a number; infinities and NaN are (a run may diverge).
        """
        line = {"step": self.steps, "metrics": {name: _number(name, value) for name, value in values.items()}}
        self._append(json.dumps(line, separators=(",", ":")) + "\n")

    def structure(self, number: int, workload: Workload) -> None:
        """Write the operators of a distinct step, replacing what was known of it."""
        workload.save(_structure_path(self.directory, number))

    def statistics(self, number: int, statistics: StepStatistics) -> None:
        """Write what the tensors of a distinct step look like, replacing what was known of them."""
        write_text(_statistics_path(self.directory, number), statistics.model_dump_json(by_alias=True) + "\n")

    def close(self) -> None:
        """Close the step log."""
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
