"""The lines of ``steps.jsonl``, of which each is one write.

A step names its distinct step, its samples and, where it differs from the step before, the *state* of the annotated
modules: for each of them the number of its facts, in digits of base 64, as many digits for every module. Modules and
facts are numbered in the order in which earlier lines introduce them; facts 0 are those of a module as traced.
"""

from __future__ import annotations

import json
import string
from typing import Annotated

from pydantic import Field, model_validator

from hwsim.errors import InputError
from hwsim.files import Frozen, validate
from hwsim.training.facts import Mixed

DIGITS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
State = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]*$")]
Number = Annotated[int, Field(ge=0)]


class StepLine(Frozen):
    """One finished step."""

    structure: Number
    """Number of the file in ``structures`` that holds its operators."""
    samples: Annotated[int, Field(ge=1)]
    state: State | tuple[State, ...] | None = None
    """Of the step, or of each of its forward passes; none if it is that of the step before."""


class MetricsLine(Frozen):
    """Numbers that the training script logged."""

    step: Number
    """Steps finished before."""
    metrics: dict[str, float]


class MarkLine(Frozen):
    """The steps that follow belong to another epoch or stage of the training."""

    epoch: int | None = None
    stage: str | None = None

    @model_validator(mode="after")
    def _one(self) -> MarkLine:
        if (self.epoch is None) == (self.stage is None):
            raise ValueError("a mark must have an epoch or a stage")
        return self


class ModulesLine(Frozen):
    """Paths of modules that states tell about from now on, after those of earlier lines."""

    modules: tuple[str, ...]


class FactsLine(Frozen):
    """The facts with the next number."""

    facts: Mixed


class DistinctLine(Frozen):
    """A distinct step."""

    distinct: Number
    fingerprint: str
    """Digest of what tells it apart."""
    missing: tuple[str, ...] = ()
    """Modules that never ran in the steps that were traced, whose operators are therefore not known."""


Line = StepLine | MetricsLine | MarkLine | ModulesLine | FactsLine | DistinctLine
_KINDS: dict[str, type[Line]] = {
    "metrics": MetricsLine, "epoch": MarkLine, "stage": MarkLine, "modules": ModulesLine, "facts": FactsLine,
    "distinct": DistinctLine,
}  # fmt: skip


def parse(line: bytes, where: str) -> Line:
    """Return what a whole line says; `InputError`, which names ``where``, if it is none of the kinds."""
    try:
        data = json.loads(line)
    except ValueError as error:
        raise InputError("is not well-formed JSON", file=where, value=line) from error
    kinds = (_KINDS[name] for name in data if name in _KINDS) if isinstance(data, dict) else iter(())
    return validate(data, next(kinds, StepLine), file=where)


def text(line: Line) -> str:
    """Return ``line`` as the log holds it."""
    data = line.model_dump(exclude_defaults=True)
    return json.dumps(data, separators=(",", ":")) + "\n"


def digits(numbers: list[int]) -> str:
    """Return a state: every number in the fewest digits that suit the largest."""
    width, largest = 1, max(numbers, default=0)
    if largest < 64:
        return "".join([DIGITS[number] for number in numbers])
    while largest >= 64**width:
        width += 1
    return "".join(DIGITS[number >> 6 * place & 63] for number in numbers for place in reversed(range(width)))
