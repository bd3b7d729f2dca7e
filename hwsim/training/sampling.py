"""Which steps of a training loop are sampled, and what becomes of their words."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from hwsim.errors import InputError
from hwsim.trace.capture import StepCapture
from hwsim.trace.sampling import Plan, Sampler
from hwsim.training.log import LogWriter, read_statistics
from hwsim.training.measure import check_format, measure
from hwsim.training.statistics import StepStatistics, TensorStatistics, key
from hwsim.workload import Workload

EVERY, FORMAT = 500, "int8"


@dataclass
class _Sampled:
    """A distinct step that can be sampled."""

    plan: Plan
    statistics: StepStatistics
    due: int = 0
    """Number of the first step at which it is sampled next."""


class Sampling:
    """Samples every distinct step the first time after it has been traced, then at an interval.

    Parameters
    ----------
    log
        Where the statistics go, merged, after every sample.
    every
        Steps from one sample to the next of the same distinct step; 0 for none at all.
    format
        In which toggles are counted.

    Raises
    ------
    InputError
        If the interval is negative or values cannot be quantised to the format.
    """

    def __init__(self, log: LogWriter, every: int, format: str) -> None:
        check(every, format)
        self._log, self._every, self._format = log, every, format
        self._steps: dict[int, _Sampled] = {}

    def traced(self, number: int, capture: StepCapture, workload: Workload, *, goes_on: bool = False) -> None:
        """Note the trace of distinct step ``number``; if it ``goes_on`` its statistics so far still hold."""
        if self._every:
            known = read_statistics(self._log.directory, number) if goes_on else None
            if known is None or known.format != self._format:
                known = StepStatistics(format=self._format)
            self._steps[number] = _Sampled(Plan.of(capture.records, workload), known)

    def begin(self, number: int) -> Sampler | None:
        """Start to sample the step that begins now, if it is distinct step ``number`` and that is due."""
        step = self._steps.get(number)
        if step is None or self._log.steps < step.due:
            return None
        step.due = self._log.steps + self._every
        sampler = Sampler(step.plan, turn=step.statistics.steps)
        sampler.start()
        return sampler

    def end(self, number: int, sampler: Sampler) -> None:
        """Count what ``sampler`` took of a finished step of distinct step ``number``, and write it down."""
        step = self._steps[number]
        if sampler.matched:
            step.statistics = step.statistics.with_step(self._measured(sampler))
        else:
            unmatched = step.statistics.unmatched + 1
            step.statistics = step.statistics.model_copy(update={"unmatched": unmatched})
        self._log.statistics(number, step.statistics)

    def _measured(self, sampler: Sampler) -> dict[str, TensorStatistics]:
        found: dict[str, TensorStatistics] = {}
        with torch.no_grad():
            for (tensor, elements), words in sampler.words():
                new, name = measure(words.numpy(), self._format), key(tensor, elements)
                found[name] = found[name].merged(new) if name in found else new
        return found


def check(every: int, format: str) -> None:
    """Refuse settings that no sampling can have; see `Sampling`."""
    if not isinstance(every, int) or every < 0:
        raise InputError("must be a number of steps, or 0 for no sampling", field="sample_every", value=every)
    check_format(format)
