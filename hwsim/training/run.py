"""A training run as a whole: what its steps executed, and what was logged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwsim.errors import InputError
from hwsim.training import log
from hwsim.training.facts import AS_TRACED, Mixture
from hwsim.training.history import table
from hwsim.training.statistics import StepStatistics, with_densities
from hwsim.training.tally import Counts, Span, Tally, spans_of, tally
from hwsim.workload import Workload


@dataclass(frozen=True)
class TrainingRun:
    """Counted steps of a recorded or described run."""

    name: str
    samples: int
    """Samples processed by the steps in `executions`."""
    steps: int
    """Steps in `executions`."""
    executions: tuple[tuple[Workload, int], ...]
    """Each distinct step with the number of times it ran, in order of first appearance.

    Operands have their measured densities. What techniques reported is in `tally`.
    """
    statistics: tuple[StepStatistics | None, ...]
    """What the tensors of each of `executions` look like, None where it was never sampled."""
    metrics: dict[str, tuple[tuple[int, float], ...]]
    """Series of (steps finished before, value) of each number the script logged."""
    untraced: int
    """Further steps whose operators are not known: the process ended too early to trace them."""
    tally: Tally
    """Executions by epoch and stage, module and facts; distinct steps are numbered as in `executions`."""
    counts: tuple[tuple[Span, Counts], ...]
    """The same as it was recorded or described."""

    @classmethod
    def load(cls, directory: Path | str) -> TrainingRun:
        """Read a recorded run, whether or not it came to its end.

        Raises
        ------
        InputError
            If there is no record in ``directory``, or a file of it is damaged, foreign or of a newer schema.
        """
        directory = Path(directory)
        header = log.read_header(directory)
        if header is None:
            raise InputError("holds no recorded run (no run.json)", file=directory)
        history = log.read_history(directory)
        numbers, first = np.unique(table(history.structures), return_index=True)
        steps = {}
        for number in numbers[np.argsort(first)].tolist():
            workload = log.read_structure(directory, number)
            if workload is not None:
                statistics = log.read_statistics(directory, number)
                steps[number] = with_densities(workload, statistics), statistics
        return cls.of(
            header.name, steps, spans_of(history), {key: tuple(series) for key, series in history.metrics.items()}
        )

    @classmethod
    def once(cls, workload: Workload) -> TrainingRun:
        """Return the run of a single step."""
        span = Span(None, "", 0, 1, workload.samples)
        return cls.of(workload.name, {0: (workload, None)}, [(span, {(0, None): {AS_TRACED: 1.0}})], {})

    @classmethod
    def of(
        cls,
        name: str,
        steps: Mapping[int, tuple[Workload, StepStatistics | None]],
        counts: Sequence[tuple[Span, Counts]],
        metrics: Mapping[str, tuple[tuple[int, float], ...]],
    ) -> TrainingRun:
        """Return the run of distinct ``steps`` by number, which ran as often as ``counts`` say."""
        numbers = list(steps)
        places = {number: place for place, number in enumerate(numbers)}
        times = [0] * len(places)
        known: list[tuple[Span, Counts]] = []
        untraced = 0
        for span, of_span in counts:
            traced = {(places[n], path): mixtures for (n, path), mixtures in of_span.items() if n in places}
            missing = sum(
                _steps(mixtures) for (n, path), mixtures in of_span.items() if path is None and n not in places
            )
            for (place, path), mixtures in traced.items():
                times[place] += _steps(mixtures) if path is None else 0
            untraced += missing
            samples = sum(
                steps[numbers[place]][0].samples * _steps(mixtures)
                for (place, path), mixtures in traced.items() if path is None
            )  # fmt: skip
            known.append((span._replace(steps=span.steps - missing, samples=samples), traced))
        workloads = [workload for workload, _ in steps.values()]
        executions = tuple(zip(workloads, times, strict=True))
        return cls(
            name=name, samples=sum(workload.samples * count for workload, count in executions), steps=sum(times),
            executions=executions, statistics=tuple(statistics for _, statistics in steps.values()),
            metrics=dict(metrics), untraced=untraced, tally=tally(known), counts=tuple(known),
        )  # fmt: skip

    @property
    def varies(self) -> bool:
        """Whether any module has facts beside what was traced."""
        return any(column.module is not None for column in self.tally.columns)


def _steps(mixtures: Mapping[Mixture, float]) -> int:
    return round(sum(mixtures.values()))
