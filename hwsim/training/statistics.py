"""What tensors look like: zeros, range and bit toggles, counted so that counts of several steps merge exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from hwsim import formats
from hwsim.files import Frozen
from hwsim.workload import Operand, Workload
from hwsim.workload.operator import FormatName

Count = Annotated[int, Field(ge=0)]


class TensorStatistics(Frozen):
    """Counts over the sampled words of one tensor.

    Words are taken in runs, in the order in which they lie in memory. Of each run the words are quantised to the
    format of the statistics (see `hwsim.training.measure`), and successive codes are compared bit by bit.
    """

    words: Annotated[int, Field(ge=1)]
    zeros: Count
    """Words that are exactly zero before quantisation."""
    nonfinite: Count = 0
    """Words that are infinite or not a number."""
    minimum: float | None = None
    """Of the finite words; none if there are none."""
    maximum: float | None = None
    pairs: Count
    """Pairs of successive words."""
    toggles: tuple[Count, ...]
    """Of each bit of the code, least significant first: pairs in which it differs."""
    quantised_zeros: Count
    """Words that are zero once quantised."""

    @model_validator(mode="after")
    def _consistent(self) -> TensorStatistics:
        if max(self.zeros, self.quantised_zeros, self.nonfinite) > self.words:
            raise ValueError(f"zeros, quantised_zeros and nonfinite must not exceed the {self.words} words")
        if max(self.toggles, default=0) > self.pairs:
            raise ValueError(f"toggles of a bit must not exceed the {self.pairs} pairs")
        return self

    @property
    def density(self) -> float:
        """Share of words that are not exactly zero."""
        return 1 - self.zeros / self.words

    @property
    def zero_share(self) -> float:
        """Share of quantised words that are zero."""
        return self.quantised_zeros / self.words

    @property
    def bit_toggle_rates(self) -> tuple[float, ...]:
        """For each bit, least significant first, how often it changes from word to word; zeros without pairs."""
        return tuple(toggles / self.pairs if self.pairs else 0.0 for toggles in self.toggles)

    @property
    def toggle_rate(self) -> float:
        """Hamming distance of successive words per bit, on average."""
        return sum(self.toggles) / (self.pairs * len(self.toggles)) if self.pairs else 0.0

    def merged(self, other: TensorStatistics) -> TensorStatistics:
        """Return the statistics of the words of both."""
        lows = [low for low in (self.minimum, other.minimum) if low is not None]
        highs = [high for high in (self.maximum, other.maximum) if high is not None]
        return TensorStatistics(
            words=self.words + other.words,
            zeros=self.zeros + other.zeros,
            nonfinite=self.nonfinite + other.nonfinite,
            minimum=min(lows, default=None),
            maximum=max(highs, default=None),
            pairs=self.pairs + other.pairs,
            toggles=tuple(a + b for a, b in zip(self.toggles, other.toggles, strict=True)),
            quantised_zeros=self.quantised_zeros + other.quantised_zeros,
        )


class StepStatistics(Frozen):
    """The tensors of one distinct step, over all its sampled executions."""

    schema_: Literal["hwsim/statistics/1"] = Field(default="hwsim/statistics/1", alias="schema")
    format: FormatName
    """In which toggles and quantised zeros are counted."""
    steps: Count = 0
    """Executions that were sampled."""
    unmatched: Count = 0
    """Executions that ran other operators than the traced one, as control flow on data can, and were left out."""
    tensors: dict[str, TensorStatistics] = {}
    """By `key` of the operands."""

    @model_validator(mode="after")
    def _one_width(self) -> StepStatistics:
        bits = formats.parse(self.format).bits
        for name, tensor in self.tensors.items():
            if len(tensor.toggles) != bits:
                raise ValueError(f"{name} must count toggles of the {bits} bits of {self.format}")
        return self

    def of(self, operand: Operand) -> TensorStatistics | None:
        """Return what is known of ``operand``; views of one tensor that have equal sizes are counted together."""
        return self.tensors.get(key(operand.tensor, operand.elements))

    def with_step(self, tensors: Mapping[str, TensorStatistics]) -> StepStatistics:
        """Return the statistics with one more sampled execution."""
        both = {name: self.tensors[name].merged(new) for name, new in tensors.items() if name in self.tensors}
        return self.model_copy(update={"steps": self.steps + 1, "tensors": {**self.tensors, **tensors, **both}})


def key(tensor: str, elements: int) -> str:
    """Return what tells measured tensors of a step apart: identity and number of values."""
    return f"{tensor}/{elements}"


def with_densities(workload: Workload, statistics: StepStatistics | None) -> Workload:
    """Return ``workload`` with the measured densities of its operands, if any were measured.

    A tensor in which no sampled word was non-zero counts as having one, since a density is more than zero.
    """
    if statistics is None:
        return workload
    operators = []
    for operator in workload.operators:
        operands = tuple(_measured(operand, statistics.of(operand)) for operand in operator.operands)
        operators.append(operator.model_copy(update={"operands": operands}))
    return workload.model_copy(update={"operators": tuple(operators)})


def _measured(operand: Operand, statistics: TensorStatistics | None) -> Operand:
    if statistics is None or not statistics.zeros:
        return operand
    density = max(statistics.words - statistics.zeros, 1) / statistics.words
    return operand.model_copy(update={"density": density, "density_structure": "random"})
