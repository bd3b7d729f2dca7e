"""Phases of the training step: which part of it an operator's result belongs to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from hwsim.trace import dataflow
from hwsim.trace.fixed import fixed
from hwsim.trace.persistent import Persistent
from hwsim.trace.records import Record, TensorRef
from hwsim.workload.operator import Phase

PASSES_ON = frozenset({"aten::add", "aten::_to_copy", "aten::clone", "aten::copy"})
"""Backward operators that only sum or convert gradients: their phase is also that of what they read."""
SCALES = frozenset({"aten::mul", "aten::div", "aten::neg", "aten::where", "aten::masked_fill"})
"""Those that do so if all else that they read is fixed, such as the mask of a pruned or quantised weight."""


class Phases:
    """Decides phases from the records of a whole step.

    Attributes
    ----------
    gradients
        Storages that become the gradient of a parameter.
    """

    def __init__(self, records: Sequence[Record], persistent: Persistent) -> None:
        self.gradients = gradients(records, persistent)
        self._towards = self.gradients | _passed_on(records, self.gradients, fixed(records, persistent))
        self._updates = _updates(records, self.gradients)
        self._first = _first_readers(records)
        self._seeds = _seeds(records, self._first)

    def is_gradient(self, factor: TensorRef) -> bool:
        """Whether a factor of a product in the backward pass is a gradient, not saved from the forward product."""
        return self._first.get(factor.storage, False)

    def of(self, record: Record, result: TensorRef | None = None) -> Phase:
        """Return the phase of ``result``, by default the record's first."""
        if record.optimizer or record.index in self._updates:
            return "optimizer"
        if not record.backward:
            return "grad_input" if record.index in self._seeds else "forward"
        result = result or next((ref for _, ref in dataflow.writes(record)), None)
        return "grad_weight" if result is not None and result.storage in self._towards else "grad_input"


def gradients(records: Sequence[Record], persistent: Persistent) -> set[int]:
    """Return the storages that become the gradient of a parameter."""
    found = set(persistent.gradients)
    for record in records:
        if record.parameter in persistent.trained:
            found.update(ref.storage for ref in _touched(record))
    return found


def _passed_on(records: Sequence[Record], gradients: set[int], fixed: frozenset[int]) -> set[int]:
    """Return the storages whose only readers sum, convert or scale them into a parameter's gradient."""
    readers: dict[int, list[Record]] = defaultdict(list)
    for record in records:
        if record.backward:
            for _, ref in dataflow.reads(record):
                readers[ref.storage].append(record)
    towards = set(gradients)
    for record in reversed(records):
        if record.backward:
            for _, ref in dataflow.writes(record):
                uses = readers.get(ref.storage)
                if uses and all(_feeds(use, ref.storage, towards, fixed) for use in uses):
                    towards.add(ref.storage)
    return towards


def _feeds(use: Record, gradient: int, towards: set[int], fixed: frozenset[int]) -> bool:
    scales = use.base in SCALES and all(
        ref.storage == gradient or ref.storage in fixed or ref.elements == 1 for _, ref in dataflow.reads(use)
    )
    return (scales or use.base in PASSES_ON) and all(ref.storage in towards for _, ref in dataflow.writes(use))


def _updates(records: Sequence[Record], gradients: set[int]) -> set[int]:
    """Return the records around the optimizer that belong to it, by index.

    These are those outside of autograd that work on gradients, such as clipping, and what runs outside of all modules
    after an update, such as averaging weights.
    """
    derived = set(gradients)
    found: set[int] = set()
    after = False
    for record in records:
        if record.backward or record.optimizer:
            after = bool(record.update)
            continue
        after = after and isinstance(record.scope, int)
        if after or any(ref.storage in derived for ref in _touched(record)):
            found.add(record.index)
            derived.update(ref.storage for ref in record.outputs if ref is not None)
    return found


def _first_readers(records: Sequence[Record]) -> dict[int, bool]:
    """Return for each storage whether its first reader is in the backward pass."""
    first: dict[int, bool] = {}
    for record in records:
        for _, ref in dataflow.reads(record):
            first.setdefault(ref.storage, record.backward)
    return first


def _seeds(records: Sequence[Record], first: dict[int, bool]) -> set[int]:
    """Return the records that make the gradient of the loss with respect to itself, by index."""
    made = [record for record in records if record.operator == "aten::ones_like" and not record.backward]
    return {record.index for record in made if all(ref and first.get(ref.storage) for ref in record.outputs)}


def _touched(record: Record) -> list[TensorRef]:
    return [ref for _, ref in dataflow.inputs(record)] + [ref for ref in record.outputs if ref is not None]
