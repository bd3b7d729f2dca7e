"""Values that do not depend on the data of a step: parameters, buffers, constants, and what is computed from these.

A weight that is masked, quantised or scaled before it is used is such a value.
"""

from __future__ import annotations

from collections.abc import Sequence

from hwsim.trace import dataflow
from hwsim.trace.persistent import Persistent
from hwsim.trace.records import Record, TensorRef


def fixed(records: Sequence[Record], persistent: Persistent) -> frozenset[int]:
    """Return the storages whose values are the same whatever the inputs are.

    Constants are single numbers, given from outside or made from nothing: larger tensors could be data, or noise.
    """
    lasting = {*persistent.parameters, *persistent.buffers}
    found, others = set(lasting), set(persistent.inputs)
    for record in records:
        if record.optimizer:
            continue
        read = [ref for _, ref in dataflow.reads(record)]
        known = all(ref.storage in found or (ref.elements == 1 and ref.storage not in others) for ref in read)
        made_from_nothing = not any(True for _ in dataflow.inputs(record))
        for _, ref in dataflow.writes(record):
            if known and (_replaces(ref, found, others) if read else made_from_nothing and ref.elements == 1):
                found.add(ref.storage)
            elif ref.storage not in lasting:
                found.discard(ref.storage)
                others.add(ref.storage)
    return frozenset(found)


def _replaces(ref: TensorRef, found: set[int], others: set[int]) -> bool:
    """Whether nothing else is left in the storage when ``ref`` has been written."""
    return ref.whole or ref.storage in found or ref.storage not in others
