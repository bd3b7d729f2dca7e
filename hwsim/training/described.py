"""From a description of a training run to the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from hwsim.errors import InputError
from hwsim.files import validate
from hwsim.training.description import Case, Change, Description, Stage, Step
from hwsim.training.facts import AS_TRACED, Facts, Mixture
from hwsim.training.paths import around
from hwsim.training.run import TrainingRun
from hwsim.training.tally import Counts, Span
from hwsim.workload import Workload

Shares = Mapping[Mixture, float]
"""Facts of a module with the share of the steps for which they hold."""


def described(data: Any, path: Path) -> TrainingRun:
    """Return the run that ``data``, the contents of the file ``path``, describes.

    Raises
    ------
    InputError
        If it is not valid; names file, field, rule and value.
    """
    description = validate(data, Description, file=path)
    workloads = {key: _workload(step, path, key, description.batch) for key, step in description.steps.items()}
    for key, workload in workloads.items():
        if description.batch not in {None, workload.samples}:
            rule = f"must be the samples of step {key}, which are {workload.samples}"
            raise InputError(rule, file=path, field="batch", value=description.batch)
    spans = list(_Described(description, workloads, path).spans())
    steps = {number: (workload, None) for number, workload in enumerate(workloads.values())}
    return TrainingRun.of(description.name, steps, spans, description.metrics)


def _workload(step: Step, path: Path, key: str, batch: int | None) -> Workload:
    if step.workload:
        given = path.parent / step.workload
        return _only_step(given) if given.is_dir() else Workload.load(given)
    from hwsim.trace.step import trace
    from hwsim.trace.target import load_target

    by_name = ":" not in step.model
    return trace(**load_target(step.model, batch=batch if by_name else None, folder=path.parent), name=key)


def _only_step(directory: Path) -> Workload:
    """Return the step of a recorded run that has no other."""
    run = TrainingRun.load(directory)
    if len(run.executions) != 1:
        rule = "must be a run of one distinct step, or one of the files in its folder structures"
        raise InputError(rule, file=directory, value=len(run.executions))
    return run.executions[0][0]


class _Described:
    """A description with what its patterns of modules match."""

    def __init__(self, description: Description, workloads: Mapping[str, Workload], path: Path) -> None:
        self._description, self._workloads, self._path = description, workloads, path
        self._modules = {key: {o.module for o in workload.operators} for key, workload in workloads.items()}
        self._matched: dict[str, set[str]] = {}
        for place, stage in enumerate(description.stages):
            for pattern in stage.modules:
                self._match(pattern, f"stages[{place}].modules.{pattern}")
        for place, change in enumerate(description.changes):
            self._match(change.modules, f"changes[{place}].modules")
        self._touched = set().union(*self._matched.values())

    def spans(self) -> Iterator[tuple[Span, Counts]]:
        """Yield every epoch."""
        epoch = first = last = 0
        for place, stage in enumerate(self._description.stages):
            field = f"stages[{place}]"
            if stage.epoch is not None and stage.epoch < last:
                rule = f"must be at least {last}, the last one of the stage before"
                raise InputError(rule, file=self._path, field=f"{field}.epoch", value=stage.epoch)
            epoch = epoch if stage.epoch is None else stage.epoch
            times, held = self._times(stage, field), self._held(stage, field)
            for _ in range(stage.epochs):
                samples = sum(self._workloads[key].samples * steps for key, steps in times.items())
                span = Span(epoch, stage.name, first, sum(times.values()), samples)
                yield span, self._counts(epoch, times, held)
                last, epoch, first = epoch, epoch + 1, first + span.steps

    def _match(self, pattern: str, field: str) -> None:
        """Find the modules that match, or lie in one that does."""
        if pattern in self._matched:
            return
        every = set().union(*self._modules.values())
        found = {module for module in every if any(fnmatchcase(part, pattern) for part in around(module))}
        if not found:
            raise InputError("must match a module of a step", file=self._path, field=field, value=pattern)
        self._matched[pattern] = found

    def _times(self, stage: Stage, field: str) -> dict[str, int]:
        """Return how often an epoch has each distinct step."""
        if unknown := stage.steps.keys() - self._workloads.keys():
            known = ", ".join(self._workloads)
            rule = f"must be steps of the description, which are {known}"
            raise InputError(rule, file=self._path, field=f"{field}.steps", value=min(unknown))
        if stage.steps:
            return dict(stage.steps)
        dataset = self._description.dataset_samples
        times = {key: step.per_epoch for key, step in self._description.steps.items() if step.per_epoch}
        if len(times) == len(self._workloads) and dataset is None:
            return times
        if times or dataset is None or len(self._workloads) > 1:
            rule = "per_epoch of every step must be given, or dataset_samples with a single step"
            raise InputError(rule, file=self._path, field="steps", value=times)
        ((key, workload),) = self._workloads.items()
        if dataset < workload.samples:
            rule = f"must be at least one batch of {workload.samples}"
            raise InputError(rule, file=self._path, field="dataset_samples", value=dataset)
        return {key: dataset // workload.samples}

    def _held(self, stage: Stage, field: str) -> dict[str, Shares]:
        held: dict[str, Shares] = {}
        for pattern, cases in stage.modules.items():
            shares = _shares((cases,) if isinstance(cases, Case) else cases)
            if abs(sum(shares.values()) - 1) > 1e-9:
                where = f"{field}.modules.{pattern}"
                raise InputError("shares must add up to 1", file=self._path, field=where, value=sum(shares.values()))
            held |= dict.fromkeys(self._matched[pattern], shares)
        return held

    def _counts(self, epoch: int, times: Mapping[str, int], held: Mapping[str, Shares]) -> Counts:
        changes = [change for change in self._description.changes if _applies(change, epoch)]
        counts: dict[tuple[int, str | None], dict[Mixture, float]] = {}
        for number, (key, modules) in enumerate(self._modules.items()):
            steps = times.get(key)
            if not steps:
                continue
            counts[number, None] = {AS_TRACED: float(steps)}
            for module in modules & self._touched:
                shares = held.get(module, {AS_TRACED: 1.0})
                for change in changes:
                    if module in self._matched[change.modules]:
                        shares = _changed(shares, change.facts)
                counts[number, module] = {mixture: share * steps for mixture, share in shares.items()}
        return counts


def _shares(cases: tuple[Case, ...]) -> Shares:
    shares: dict[Mixture, float] = {}
    for case in cases:
        shares[case.mixture] = shares.get(case.mixture, 0.0) + case.share
    return shares


def _applies(change: Change, epoch: int) -> bool:
    return change.epoch <= epoch and (change.until is None or epoch < change.until)


def _changed(shares: Shares, facts: Facts) -> Shares:
    """Replace what ``facts`` give in all mixtures."""
    given = facts.model_dump(exclude_defaults=True)
    changed: dict[Mixture, float] = {}
    for mixture, share in shares.items():
        new = tuple(part.model_copy(update=given) for part in mixture)
        changed[new] = changed.get(new, 0.0) + share
    return changed
