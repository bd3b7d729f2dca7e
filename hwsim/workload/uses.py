"""Who writes and reads each tensor of a list of operators, and which tensors matter beyond them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from hwsim.workload.operator import Operand, Operator


@dataclass(frozen=True)
class Uses:
    """Uses of tensors by identity; operands without one are not in it.

    Attributes
    ----------
    writer
        Index of the operator that writes a tensor last.
    readers
        Indices of the operators that read a tensor, ascending.
    lasting
        Last versions of the storages that are read before they are written: parameters, buffers, optimizer state.
    extents
        Most elements that any operator touches of a storage.
    parts
        Storages that some operator writes in part, so that versions share values.
    """

    writer: Mapping[str, int]
    readers: Mapping[str, Sequence[int]]
    lasting: Set[str]
    extents: Mapping[str, int]
    parts: Set[str]

    @classmethod
    def of(cls, operators: Sequence[Operator]) -> Uses:
        """Collect the uses of all tensors of ``operators``, which are in order of execution."""
        writer: dict[str, int] = {}
        readers: dict[str, list[int]] = defaultdict(list)
        extents: dict[str, int] = defaultdict(int)
        last: dict[str, str] = {}
        persistent: set[str] = set()
        for index, operand in _touched(operators):
            storage = storage_of(operand.tensor)
            extents[storage] = max(extents[storage], operand.elements)
            if operand.access == "write":
                writer[operand.tensor] = index
            else:
                readers[operand.tensor].append(index)
                if storage not in last:
                    persistent.add(storage)
            last[storage] = operand.tensor
        parts = {storage_of(operand.tensor) for _, operand in _touched(operators) if _in_part(operand, extents)}
        return cls(writer, readers, {last[storage] for storage in persistent}, extents, parts)

    def stays(self, tensor: str, members: frozenset[int]) -> bool:
        """Whether ``tensor``, which one of ``members`` writes, is used only by them and by nothing afterwards."""
        readers = self.readers.get(tensor, ())
        return bool(tensor and readers) and tensor not in self.lasting and members.issuperset(readers)

    def whole(self, operator: Operator) -> bool:
        """Whether ``operator`` touches no storage that is written in part."""
        return all(storage_of(operand.tensor) not in self.parts for operand in operator.operands)


def reads(operator: Operator) -> Iterator[Operand]:
    """Yield the operands that are read."""
    return (operand for operand in operator.operands if operand.access == "read")


def writes(operator: Operator) -> Iterator[Operand]:
    """Yield the operands that are written."""
    return (operand for operand in operator.operands if operand.access == "write")


def storage_of(tensor: str) -> str:
    """Return the identity ``storage.version`` without its version (``storage.version.part`` is a storage too)."""
    storage, _, rest = tensor.partition(".")
    part = rest.partition(".")[2]
    return f"{storage}.{part}" if part else storage


def _touched(operators: Sequence[Operator]) -> Iterator[tuple[int, Operand]]:
    for index, operator in enumerate(operators):
        for operand in (*reads(operator), *writes(operator)):
            if operand.tensor:
                yield index, operand


def _in_part(operand: Operand, extents: Mapping[str, int]) -> bool:
    if operand.access == "read":
        return operand.elements == 0 < extents[storage_of(operand.tensor)]  # what a partial write leaves in place
    return operand.elements < extents[storage_of(operand.tensor)]
