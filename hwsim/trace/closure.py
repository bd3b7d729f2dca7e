"""The closure check: a steady-state step reads its parameters, state and inputs, and nothing else it did not make."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hwsim.trace import dataflow
from hwsim.trace.records import Record


@dataclass(frozen=True)
class Closure:
    """What a step reads before writing it, against what it should read, as names of storages.

    Attributes
    ----------
    read_first
        Storages whose first use in the step is a read.
    expected
        Parameters, buffers, optimizer state and inputs.
    """

    read_first: frozenset[str]
    expected: frozenset[str]

    @property
    def missing(self) -> frozenset[str]:
        """What should be read and is not: a part of the step was not seen, or is not used."""
        return self.expected - self.read_first

    @property
    def unexpected(self) -> frozenset[str]:
        """What is read without a known origin: a write was not seen, or an input was not named."""
        return self.read_first - self.expected

    @property
    def exact(self) -> bool:
        """Whether both sets are the same."""
        return self.read_first == self.expected


def read_before_written(records: Iterable[Record]) -> dict[int, str]:
    """Return the storages that are read before the step writes them, each with a description of the read."""
    written: set[int] = set()
    first: dict[int, str] = {}
    for record in records:
        for name, ref in dataflow.reads(record):
            if ref.storage not in written and ref.storage not in first:
                shape = list(ref.shape)
                first[ref.storage] = f"storage {ref.storage}: {ref.dtype} {shape}, {name} of {record.operator}"
        written.update(ref.storage for _, ref in dataflow.writes(record))
    return first
