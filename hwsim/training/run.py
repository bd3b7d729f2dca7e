"""A training run as a whole: how often each of its distinct steps was executed, and what was logged."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from hwsim.errors import InputError
from hwsim.training import log
from hwsim.training.statistics import StepStatistics, with_densities
from hwsim.workload import Workload


@dataclass(frozen=True)
class TrainingRun:
    """Counted steps of a recorded run."""

    name: str
    samples: int
    """Samples processed by the steps in `executions`."""
    steps: int
    """Steps in `executions`."""
    executions: tuple[tuple[Workload, int], ...]
    """Each distinct step with the number of times it ran, in order of first appearance.

    Operands have their measured densities.
    """
    statistics: tuple[StepStatistics | None, ...]
    """What the tensors of each of `executions` look like, None where it was never sampled."""
    metrics: dict[str, tuple[tuple[int, float], ...]]
    """Series of (steps finished before, value) of each number the script logged."""
    untraced: int
    """Further steps whose operators are not known: the process ended too early to trace them."""

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
        counts: Counter[int] = Counter()
        samples: Counter[int] = Counter()
        metrics: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for line in log.read_lines(directory):
            if isinstance(line, log.StepLine):
                counts[line.structure] += 1
                samples[line.structure] += line.samples
            else:
                for key, value in line.metrics.items():
                    metrics[key].append((line.step, value))
        structures = {number: log.read_structure(directory, number) for number in counts}
        traced = {number: workload for number, workload in structures.items() if workload is not None}
        statistics = {number: log.read_statistics(directory, number) for number in traced}
        return cls(
            name=header.name,
            samples=sum(samples[number] for number in traced),
            steps=sum(counts[number] for number in traced),
            executions=tuple(
                (with_densities(workload, statistics[number]), counts[number]) for number, workload in traced.items()
            ),
            statistics=tuple(statistics.values()),
            metrics={key: tuple(series) for key, series in metrics.items()},
            untraced=sum(counts[number] for number in counts.keys() - traced.keys()),
        )
