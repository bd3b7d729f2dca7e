"""Peak live bytes of a captured step, by category."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate

from hwsim.trace import dataflow
from hwsim.trace.persistent import Persistent
from hwsim.trace.phases import gradients
from hwsim.trace.records import Record
from hwsim.trace.storages import Storages
from hwsim.workload.memory import Memory


def peak(records: Sequence[Record], persistent: Persistent, storages: Storages) -> Memory:
    """Return the memory of the record during which most bytes are alive, its results included.

    A storage lives from the record that makes it, or from the beginning, until Python and autograd let it go.
    """
    born = dict(_born(records))
    change = [0] * (len(records) + 1)
    for storage, size in storages.sizes.items():
        change[born.get(storage, 0)] += size
        change[min(storages.freed.get(storage, len(records)), len(records))] -= size
    live = list(accumulate(change[:-1]))
    if not live:
        return Memory()
    moment = max(range(len(live)), key=live.__getitem__)
    held: Counter[str] = Counter()
    of_parameters = gradients(records, persistent)
    for storage, size in storages.sizes.items():
        if born.get(storage, 0) <= moment < storages.freed.get(storage, len(records)):
            category = _known(storage, persistent, of_parameters)
            made = storage in born and not (records[born[storage]].backward or records[born[storage]].optimizer)
            held[category or ("activations_bytes" if made else "other_bytes")] += size
    return Memory(**held, at=records[moment].source)


def _known(storage: int, persistent: Persistent, of_parameters: set[int]) -> str | None:
    if storage in persistent.parameters:
        return "parameters_bytes"
    if storage in persistent.states:
        return "optimizer_state_bytes"
    return "gradients_bytes" if storage in of_parameters else None


def _born(records: Sequence[Record]) -> Iterator[tuple[int, int]]:
    """Yield the storages that the step makes, each with the index of the record that makes it."""
    met: set[int] = set()
    for record in records:
        met.update(ref.storage for _, ref in dataflow.inputs(record))
        new = {ref.storage for ref in record.outputs if ref is not None} - met
        yield from ((storage, record.index) for storage in new)
        met |= new
