"""Which values a recorded operator reads and writes."""

from __future__ import annotations

from collections.abc import Iterator

from hwsim.trace.collectives import REDUCE_IN_PLACE, WRITES
from hwsim.trace.records import Record, TensorRef, refs

ALLOCATIONS = frozenset(
    {"aten::empty", "aten::empty_like", "aten::empty_strided", "aten::new_empty", "aten::new_empty_strided"}
)
_SHAPE_ONLY = frozenset(
    f"aten::{name}{suffix}"
    for name in ("empty", "zeros", "ones", "full", "rand", "randn", "randint")
    for suffix in ("", "_like")
) | frozenset(f"aten::new_{name}" for name in ("empty", "zeros", "ones", "full", "empty_strided"))
_OVERWRITES = frozenset(
    {
        "aten::copy_", "aten::fill_", "aten::zero_", "aten::bernoulli_", "aten::uniform_", "aten::normal_",
        "aten::random_", "aten::exponential_", "aten::_foreach_zero_", "aten::_foreach_copy_",
    }
) | (WRITES.keys() - REDUCE_IN_PLACE)  # fmt: skip
"""In-place operators that do not read what they overwrite (``out=`` arguments are never read either)."""


def inputs(record: Record) -> Iterator[tuple[str, TensorRef]]:
    """Yield argument name and tensor of every tensor argument."""
    for name, value in record.arguments.items():
        for ref in refs(value):
            yield name, ref


def reads(record: Record) -> Iterator[tuple[str, TensorRef]]:
    """Yield argument name and tensor of every value that is read."""
    if record.operator in _SHAPE_ONLY or is_view(record):
        return
    overwrites = record.operator in _OVERWRITES or not record.operator.endswith("_")
    announced = record.mutated if overwrites and "running_mean" not in record.mutated else ()
    yield from ((name, ref) for name, ref in inputs(record) if name not in announced)


def writes(record: Record) -> Iterator[tuple[str, TensorRef]]:
    """Yield argument name (``out`` for results) and tensor of every value that is written."""
    if is_view(record):
        return
    before = {ref.storage for _, ref in inputs(record)}
    for ref in record.outputs:
        if ref is not None and ref.storage not in before:
            yield "out", ref
    for name, value in record.mutated.items():
        for ref in refs(value):
            yield name, ref


def kept(record: Record) -> Iterator[TensorRef]:
    """Yield the tensors whose storage keeps old values beside the ones that are overwritten."""
    read = {ref.storage for _, ref in reads(record)}
    for name in record.mutated:
        for ref in refs(record.arguments[name]):
            if not ref.whole and ref.storage not in read:
                yield ref


def is_view(record: Record) -> bool:
    """Whether it only returns other views of its arguments' storages."""
    if record.mutated:
        return False
    before = {ref.storage for _, ref in inputs(record)}
    after = [ref.storage for ref in record.outputs if ref is not None]
    return bool(after) and before.issuperset(after)
