"""Reading the log of a run into columns, fast enough for millions of steps."""

from __future__ import annotations

import re
from array import array
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError
from hwsim.training import lines
from hwsim.training.facts import AS_TRACED, Mixture
from hwsim.training.paths import enclosing

# the form in which steps are written; any other is parsed in full
_STEP = re.compile(rb'\{"structure":(\d{1,9}),"samples":([1-9]\d{0,14})(?:,"state":"([A-Za-z0-9+/]*)")?\}\n')
_VALUES = np.zeros(256, dtype=np.uint32)
_VALUES[np.frombuffer(lines.DIGITS.encode(), dtype=np.uint8)] = np.arange(64)


@dataclass
class _Raw:
    """A state as the log spells it."""

    digits: bytes
    modules: int
    """Number of modules known at that time."""
    line: int


@dataclass
class History:
    """The whole lines of a log, in order."""

    path: Path
    structures: array[int] = field(default_factory=lambda: array("q"))
    """Of each step, like `samples`."""
    samples: array[int] = field(default_factory=lambda: array("q"))
    rows: array[int] = field(default_factory=lambda: array("q"))
    """State of each step, as a row of `states`; of the first of its passes if they differ."""
    passes: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """Rows of the steps whose forward passes differ."""
    modules: list[str] = field(default_factory=list)
    mixtures: list[Mixture] = field(default_factory=lambda: [AS_TRACED])
    marks: list[tuple[int, lines.MarkLine]] = field(default_factory=list)
    """With the steps finished before."""
    metrics: dict[str, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))
    distinct: dict[int, lines.DistinctLine] = field(default_factory=dict)
    size: int = 0
    """Bytes of the whole lines."""
    _raw: list[_Raw] = field(default_factory=lambda: [_Raw(b"", 0, 0)])
    _places: dict[str, int] = field(default_factory=dict)
    _known: dict[bytes, int] = field(default_factory=lambda: {b"": 0})

    @classmethod
    def read(cls, path: Path) -> History:
        """Read ``path``; a last line without its end was cut by a kill and is left out.

        Raises
        ------
        InputError
            If a line is of no kind; names file and line.
        """
        history = cls(path)
        if path.is_file():
            with path.open("rb") as stream:
                for number, line in enumerate(stream, start=1):
                    if not line.endswith(b"\n"):
                        break
                    history._line(number, line)
        return history

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.structures)

    def states(self) -> NDArray[np.uint32]:
        """Number of the facts of each module, shape (states, modules).

        Raises
        ------
        InputError
            If a state does not suit the modules and facts of the log; names file and line.
        """
        matrix = np.zeros((len(self._raw), len(self.modules)), dtype=np.uint32)
        self._places = {path: place for place, path in enumerate(self.modules)}
        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        for row, raw in enumerate(self._raw):
            if raw.digits and (not raw.modules or len(raw.digits) % raw.modules):
                self._refuse(raw, f"state must have as many digits for each of {raw.modules} modules")
            if raw.digits:
                groups[raw.modules, len(raw.digits) // raw.modules].append(row)
        for (modules, width), members in groups.items():
            text = b"".join(self._raw[row].digits for row in members)
            values = _VALUES[np.frombuffer(text, dtype=np.uint8)].reshape(len(members), modules, width)
            weights = 64 ** np.arange(width - 1, -1, -1, dtype=np.uint32)
            matrix[members, :modules] = values @ weights
            for place in self._outer_first(range(modules, len(self.modules))):  # not annotated yet
                outer = enclosing(self.modules[place], self._places)
                if outer is not None:
                    matrix[members, place] = matrix[members, self._places[outer]]
        wrong = np.flatnonzero((matrix >= len(self.mixtures)).any(axis=1)) if matrix.size else np.array([], dtype=int)
        if wrong.size:
            rule = f"state must refer to facts of earlier lines, of which there are {len(self.mixtures) - 1}"
            self._refuse(self._raw[int(wrong[0])], rule)
        return matrix

    def _outer_first(self, places: Iterable[int]) -> list[int]:
        return sorted(places, key=lambda place: self.modules[place])

    def _refuse(self, raw: _Raw, rule: str) -> None:
        raise InputError(rule, file=f"{self.path}, line {raw.line}", value=raw.digits.decode())

    def _line(self, number: int, line: bytes) -> None:
        self.size += len(line)
        match = _STEP.fullmatch(line)
        if match:
            structure, samples, state = match.groups()
            self._step(int(structure), int(samples), None if state is None else (state,), number)
            return
        parsed = lines.parse(line, f"{self.path}, line {number}")
        match parsed:
            case lines.StepLine(state=state):
                texts = (state,) if isinstance(state, str) else state
                encoded = None if texts is None else tuple(one.encode() for one in texts)
                self._step(parsed.structure, parsed.samples, encoded, number)
            case lines.MetricsLine():
                for key, value in parsed.metrics.items():
                    self.metrics[key].append((parsed.step, value))
            case lines.MarkLine():
                self.marks.append((self.steps, parsed))
            case lines.ModulesLine():
                self.modules += parsed.modules
                self._known = {b"": 0}
            case lines.FactsLine():
                self.mixtures.append(parsed.facts.parts)
            case lines.DistinctLine():
                self.distinct[parsed.distinct] = parsed

    def _step(self, structure: int, samples: int, states: tuple[bytes, ...] | None, number: int) -> None:
        if states is not None:
            rows = tuple(self._row(state, number) for state in states)
        elif not self.rows:
            rows = (0,)
        else:
            rows = self.passes.get(self.steps - 1, (self.rows[-1],))
        if len(rows) > 1:
            self.passes[self.steps] = rows
        self.rows.append(rows[0])
        self.structures.append(structure)
        self.samples.append(samples)

    def _row(self, state: bytes, number: int) -> int:
        row = self._known.get(state)
        if row is None:
            row = self._known[state] = len(self._raw)
            self._raw.append(_Raw(state, len(self.modules), number))
        return row


def table(values: Any) -> NDArray[np.int64]:
    """Return a column as an array."""
    return np.frombuffer(values, dtype=np.int64) if len(values) else np.zeros(0, dtype=np.int64)
