"""A recorded operator on its way to the intermediate representation."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import torch

from hwsim.errors import HwsimError
from hwsim.trace import dataflow
from hwsim.trace.phases import Phases
from hwsim.trace.records import Record, TensorRef
from hwsim.trace.roles import Roles
from hwsim.workload.operator import Access, Operand, Operator, Role

_FORMATS = {
    torch.float64: "fp64", torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16",
    torch.float8_e4m3fn: "fp8_e4m3", torch.float8_e5m2: "fp8_e5m2",
    torch.int64: "int64", torch.int32: "int32", torch.int16: "int16", torch.int8: "int8", torch.uint8: "uint8",
    torch.uint16: "uint16", torch.uint32: "uint32", torch.uint64: "uint64", torch.bool: "bool",
    torch.complex64: "complex64", torch.complex128: "complex128",
}  # fmt: skip


def format_of(dtype: torch.dtype) -> str:
    """Return the name of the number format of ``dtype``."""
    if dtype not in _FORMATS:
        raise HwsimError(f"{dtype} has no number format in hwsim; known are {', '.join(map(str, _FORMATS))}")
    return _FORMATS[dtype]


@dataclass(frozen=True)
class Step:
    """What the lowering of one record may ask about the whole step."""

    phases: Phases
    roles: Roles
    names: Counter[str]
    constants: frozenset[int] = frozenset()
    """Storages that hold one Python number: an argument, not data."""
    formats: dict[str, str] = field(default_factory=dict)
    """Of tensors by identity, where hardware keeps them in another format than PyTorch does, such as rounded ones."""

    def unique(self, name: str) -> str:
        """Return ``name``, with ``#2``, ``#3`` ... appended where it has been given before."""
        self.names[name] += 1
        return name if self.names[name] == 1 else f"{name}#{self.names[name]}"


@dataclass(frozen=True)
class Call:
    """One record with its module path, and the makers of operators from it."""

    record: Record
    module: str
    step: Step
    title: str
    """Short name of the operator."""

    def __getitem__(self, name: str) -> Any:
        return self.record.arguments[name]

    @property
    def result(self) -> TensorRef:
        """The first returned tensor."""
        return next(ref for ref in self.record.outputs if ref is not None)

    def role(self, ref: TensorRef) -> Role:
        """Role of a tensor."""
        return self.step.roles.of(ref)

    def format(self, ref: TensorRef) -> str:
        """Number format of a tensor."""
        return self.step.formats.get(ref.identity) or format_of(ref.dtype)

    def operand(
        self,
        name: str,
        ref: TensorRef,
        access: Access = "read",
        projection: tuple[str, ...] = (),
        shape: tuple[int, ...] | None = None,
    ) -> Operand:
        """Return ``ref`` as an operand; ``shape`` where not the whole tensor is touched."""
        return Operand(
            name=name, shape=ref.stored_shape if shape is None else shape, format=self.format(ref),
            access=access, role=self.role(ref), projection=projection, tensor=ref.identity,
        )  # fmt: skip

    def operands(self) -> tuple[Operand, ...]:
        """Everything the record reads, keeps (as zero bytes, for the dependence alone) and writes."""
        constants = self.step.constants
        read = [self.operand(name, ref) for name, ref in dataflow.reads(self.record) if ref.storage not in constants]
        kept = [self.operand("kept", ref, shape=(0,)) for ref in dataflow.kept(self.record)]
        written = [self.operand(name, ref, "write") for name, ref in dataflow.writes(self.record)]
        return (*read, *kept, *written)

    def triple(self, *given: TensorRef) -> dict[str, Any]:
        """Return formats, tensors and roles of input, weight and output for a contraction builder."""
        return {
            "formats": tuple(self.format(ref) for ref in given),
            "tensors": tuple(ref.identity for ref in given),
            "roles": tuple(self.role(ref) for ref in given),
        }

    def fields(self, result: TensorRef | None = None, part: str = "") -> dict[str, Any]:
        """Return name, phase, module and source of an operator that makes ``result``."""
        phase = self.step.phases.of(self.record, result)
        told = part or phase in {"forward", "optimizer"} or "backward" in self.title
        name = ".".join(text for text in (self.module, self.title, part if told else phase) if text)
        return {
            "name": self.step.unique(name), "phase": phase, "module": self.module, "source": self.record.source,
            "recomputed": self.record.recomputed,
        }

    def operator(self, part: str = "", **fields: Any) -> Operator:
        """Return an operator with the fields that all have, and the given ones."""
        return Operator(**self.fields(part=part), **fields)
