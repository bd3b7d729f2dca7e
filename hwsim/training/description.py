"""A training run that is described instead of recorded: what trains, for how long, and what techniques do to it.

A description is YAML or JSON (docs/runs.md shows every field): distinct steps with how often an epoch has them, and
stages of epochs in which modules have facts. A recorded run can be written as one, edited and scored.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from hwsim.files import Frozen
from hwsim.training.facts import Facts, Mixed, Mixture

SCHEMA = "hwsim/training/1"


class Case(Facts):
    """Facts of a share of the steps, or of several shares of the inputs of each of these steps."""

    inputs: tuple[Facts, ...] = ()

    @model_validator(mode="after")
    def _either(self) -> Case:
        if self.inputs:
            if self.model_dump(exclude_defaults=True).keys() - {"share", "inputs"}:
                raise ValueError("a case must have either inputs or facts of its own")
            Mixed(parts=self.inputs)
        return self

    @property
    def mixture(self) -> Mixture:
        """The facts of each of the steps."""
        own = {name: getattr(self, name) for name in Facts.model_fields if name != "share"}
        return self.inputs or (Facts(**own),)


class Step(Frozen):
    """A distinct step: a workload (a file, or the folder of a recorded run of one distinct step), or a model.

    A model is what ``hwsim trace`` takes: FILE.py:FUNCTION, PACKAGE.MODULE:FUNCTION or a network's name. Paths are
    relative to the description.
    """

    workload: str = ""
    model: str = ""
    per_epoch: PositiveInt | None = None

    @model_validator(mode="after")
    def _one(self) -> Step:
        if bool(self.workload) == bool(self.model):
            raise ValueError("a step must have a workload or a model")
        return self


Cases = Case | Annotated[tuple[Case, ...], Field(min_length=1)]


class Stage(Frozen):
    """Successive epochs whose modules have the same facts."""

    name: str = ""
    epoch: NonNegativeInt | None = None
    """Number of the first of them: by default that after the stage before, whose last epoch it may also continue."""
    epochs: PositiveInt = 1
    steps: dict[str, PositiveInt] = {}
    """Steps of an epoch where they are others than everywhere."""
    modules: dict[str, Cases] = {}
    """By pattern of their path; of those that match a module or one around it, the last holds."""


class Change(Frozen):
    """Facts that replace those of the stages from an epoch on."""

    epoch: NonNegativeInt
    until: PositiveInt | None = None
    """The first epoch that has those of its stage again."""
    modules: str = "*"
    facts: Facts


class Description(Frozen):
    """A file that describes a run."""

    schema_: Literal["hwsim/training/1"] = Field(alias="schema")
    name: Annotated[str, Field(min_length=1)]
    dataset_samples: PositiveInt | None = None
    """With one distinct step: as many in an epoch as fit, a smaller last batch being dropped."""
    batch: PositiveInt | None = None
    """Samples of a step: those of networks by name, and to be held against those of all others."""
    steps: Annotated[dict[str, Step], Field(min_length=1)]
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    changes: tuple[Change, ...] = ()
    metrics: dict[str, tuple[tuple[NonNegativeInt, float], ...]] = {}
    """Series of (steps finished before, value)."""
