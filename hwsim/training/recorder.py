"""From the events of a training loop to its log: which step is traced, and which is only counted.

A step begins with the first forward pass of a model and ends when an optimizer has stepped; several passes
before (gradient accumulation) belong to it. Its *fingerprint* is what distinguishes it: shapes and types of the
inputs of each pass, the training flag, and which parameters are trained. A fingerprint is traced when it is met
first, and again if that step also allocated optimizer state, so that what is stored is the steady state; once more
where a module runs that was skipped whenever the step was traced. From then on some executions are sampled, see
`hwsim.training.sampling`. What techniques report of a step (`hwsim.annotate`) goes into its line of the log.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer
from torch.utils._pytree import tree_leaves

import hwsim
from hwsim.trace.capture import StepCapture
from hwsim.trace.sampling import Sampler
from hwsim.training.completion import completed
from hwsim.training.lines import DistinctLine
from hwsim.training.log import Header, LogWriter, read_structure
from hwsim.training.paths import around
from hwsim.training.sampling import EVERY, FORMAT, Sampling
from hwsim.training.states import States

Fingerprint = tuple[object, ...]
"""Hashable; tells distinct steps apart."""


@dataclass
class _Structure:
    """A distinct step."""

    number: int
    digest: str
    """Of its fingerprint."""
    last: int
    """When it was met last, in steps finished before."""
    settled: bool = False
    """Whether the stored trace is of the steady state."""
    missing: frozenset[str] = frozenset()
    """Modules that were skipped whenever it was traced."""


@dataclass
class Step:
    """The step in progress."""

    capture: StepCapture | None
    """None while only counting."""
    expected: int | None
    """Number of the distinct step that it is expected to be."""
    state_entries: int
    """Size of the optimizers' state when it began."""
    sampler: Sampler | None = None
    """Takes words of the tensors of some steps that are only counted."""
    passes: list[Fingerprint] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    """Reported facts of each pass that has ended."""
    samples: int = 0
    inputs: list[torch.Tensor] = field(default_factory=list)
    """Of a traced step."""

    def stop(self) -> None:
        """End its capture or its sampling."""
        running = self.capture or self.sampler
        if running:
            running.stop()


class Recorder:
    """Records one training run.

    Parameters
    ----------
    directory
        Where the log goes; must not hold one.
    name
        What the run is called.
    model
        Its forward passes count the samples.
    sample_every, sample_format, resume
        See `hwsim.record`.

    Raises
    ------
    InputError
        If the directory cannot be written or holds a record already.
    """

    def __init__(
        self, directory: Path, name: str, model: torch.nn.Module, sample_every: int = EVERY,
        sample_format: str = FORMAT, *, resume: bool = False,
    ) -> None:  # fmt: skip
        header = Header(
            schema="hwsim/run/2",
            name=name,
            model=type(model).__name__,
            hwsim=hwsim.__version__,
            torch=torch.__version__,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        self.log = LogWriter(directory, header, resume=resume)
        self._states = States(model, self.log)
        self._state: str | tuple[str, ...] | None = None if self.log.steps else ""  # of the last line, if known
        self._sampling = Sampling(self.log, sample_every, sample_format)
        self._name = name
        self._model = model
        self._parameters = tuple(model.parameters())
        self._optimizers: list[Optimizer] = []  # the one that stepped last is last
        self._followed: set[Optimizer] = set()  # those after which another one steps, in the same training step
        self._step: Step | None = None
        self._structures: dict[Fingerprint, _Structure] = {}
        self._recorded = {line.fingerprint: line for line in self.log.before.distinct.values()}
        self._expected: dict[Fingerprint, _Structure] = {}  # by first pass: what it began the last time
        self._due: set[int] = set()

    @property
    def in_step(self) -> bool:
        """Whether a forward pass has begun a step that no optimizer has ended."""
        return self._step is not None

    def begin(self, module: torch.nn.Module, first: Fingerprint = ()) -> Step:
        """Begin a step; traced unless its first pass is known to begin a step that has been traced."""
        expected = self._expected.get(first)
        counted = expected is not None and expected.settled and self.log.steps not in self._due
        number = expected.number if expected else None
        self._step = Step(None if counted else StepCapture(), number, self._state_entries())
        if self._step.capture:
            self._step.capture.start(inside=module)
        elif number is not None:
            self._step.sampler = self._sampling.begin(number)
        return self._step

    def forward(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Note a call of ``module``; without gradients it is evaluation and not counted. A forward pre-hook."""
        if not torch.is_grad_enabled():
            return
        leaves = tree_leaves((args, kwargs))
        fingerprint = (type(module), module.training, *map(_kind, leaves))
        step = self._step or self.begin(module, fingerprint)
        step.passes.append(fingerprint)
        tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
        if module is self._model:
            step.samples += next((tensor.shape[0] for tensor in tensors if tensor.ndim), 1)
        if step.capture:
            step.inputs += tensors

    def passed(self, module: torch.nn.Module, args: Any, output: Any) -> None:
        """Note what was reported of the pass that ends. A forward hook of the model."""
        if self._step and module is self._model and torch.is_grad_enabled():
            self._step.states.append(self._states.now())

    def stepped(self, optimizer: Optimizer, args: Any = (), kwargs: Any = None) -> None:
        """Note that ``optimizer`` has stepped, which ends the training step. An optimizer's step post-hook.

        An optimizer that steps right after another one belongs to the same training step from then on.
        """
        last = self._optimizers[-1] if self._optimizers else optimizer
        if self._step is None and last is not optimizer and optimizer not in self._followed:
            self._followed.add(last)
        if optimizer in self._optimizers:
            self._optimizers.remove(optimizer)
        self._optimizers.append(optimizer)
        if self._step and optimizer not in self._followed:
            self._end(self._step)

    def close(self) -> None:
        """Drop an unfinished step and close the log."""
        if self._step:
            self._step.stop()
        self._step = None
        self.log.close()

    def _end(self, step: Step) -> None:
        self._step = None
        step.stop()
        now, samples = self.log.steps, max(1, step.samples)
        fingerprint = (*step.passes, tuple(parameter.requires_grad for parameter in self._parameters))
        structure = self._structures.get(fingerprint) or self._new(fingerprint, now)
        self._expected[step.passes[0]] = structure
        self._states.detect()
        self._write(structure.number, samples, [*step.states[:-1], self._states.now()])
        self._due.discard(now)
        if step.capture and not structure.settled:
            structure.settled = now > 0 and self._state_entries() == step.state_entries
            self._traced(structure, step, step.capture, samples)
        elif not structure.settled:
            self._due.add(2 * now - structure.last)  # it may recur after as many steps as last time
        elif structure.missing and not structure.missing <= self._states.skipped:
            structure.settled = False
        if step.sampler and structure.number == step.expected:
            self._sampling.end(structure.number, step.sampler)
        structure.last = now

    def _new(self, fingerprint: Fingerprint, now: int) -> _Structure:
        """Number a distinct step as an earlier recording did, or as the next one."""
        digest = hashlib.sha256(repr(fingerprint).encode()).hexdigest()[:16]
        line = self._recorded.get(digest)
        if line is None:
            line = self._recorded[digest] = DistinctLine(distinct=len(self._recorded), fingerprint=digest)
            self.log.line(line)
        structure = _Structure(line.distinct, digest, now, missing=frozenset(line.missing))
        return self._structures.setdefault(fingerprint, structure)

    def _write(self, number: int, samples: int, states: list[str]) -> None:
        """Write the line of a step; its state only where it is another than that of the step before."""
        passes = tuple(states) if len(set(states)) > 1 else states[0]
        if passes == self._state:
            self.log.step(number, samples)
        else:
            self.log.step(number, samples, passes)
            self._state = passes

    def _traced(self, structure: _Structure, step: Step, capture: StepCapture, samples: int) -> None:
        """Store the operators of a distinct step, with what earlier traces showed of modules that it skipped."""
        workload = capture.workload(
            name=f"{self._name}/{structure.number}", model=self._model, optimizers=list(self._optimizers),
            inputs=tuple(step.inputs), samples=samples,
        )  # fmt: skip
        skipped = self._states.skipped
        before = read_structure(self.log.directory, structure.number)
        if before is not None:
            workload = completed(workload, before, skipped)
        ran = {path for one in workload.operators if one.phase == "forward" for path in around(one.module)}
        if structure.missing != skipped - ran:
            structure.missing = skipped - ran
            missing = tuple(sorted(structure.missing))
            self.log.line(DistinctLine(distinct=structure.number, fingerprint=structure.digest, missing=missing))
        self.log.structure(structure.number, workload)
        self._sampling.traced(structure.number, capture, workload, goes_on=workload == before)

    def _state_entries(self) -> int:
        return sum(len(state) for optimizer in self._optimizers for state in optimizer.state.values())


def _kind(leaf: object) -> object:
    """What of an input makes another step: not its values, which change all the time."""
    if isinstance(leaf, torch.Tensor):
        return leaf.shape, leaf.dtype
    return leaf if isinstance(leaf, bool | str) else type(leaf)
