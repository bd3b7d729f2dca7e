"""AccelForge workloads: a list of einsums, each as a text or as tensor accesses with projections.

Source: Accelergy-Project/accelforge, ``frontend/workload.py`` and ``examples/workloads``. Bounds of rank variables are
written ``low <= name < high``, joined by ``and``; sizes of ranks give those of the variables that index them alone.
Templates must be rendered first. Set expressions other than ``All`` or the name of a tensor are not evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter

from hwsim.errors import InputError
from hwsim.workload.importers.einsum import Access, Axis, contraction, extents, parse_axis
from hwsim.workload.importers.reading import checked, located, parse_yaml, text_of
from hwsim.workload.importers.unknown import Skips, Unknown
from hwsim.workload.operator import Operand, Operator, Role, Size
from hwsim.workload.workload import Workload

_Bits = Annotated[int, Field(ge=1, le=64)]


class _Tensor(BaseModel):
    name: Annotated[str, Field(min_length=1)]
    projection: list[str] | dict[str, str]
    output: bool = False
    bits_per_value: _Bits | None = None


class _Einsum(BaseModel):
    name: Annotated[str, Field(min_length=1)]
    tensor_accesses: Annotated[list[_Tensor], Field(min_length=1)]
    iteration_space_shape: list[str] | dict[str, str] = []
    renames: dict[str, str] | list[dict[str, Any]] = {}
    is_copy_operation: bool = False


class _File(BaseModel):
    rank_sizes: dict[str, Size] = {}
    iteration_space_shape: dict[str, str] = {}
    shape: dict[str, str] = {}
    """What ``iteration_space_shape`` was called up to version 0.5."""
    bits_per_value: dict[str, _Bits] = {}
    einsums: Annotated[list[str | dict[str, Any]], Field(min_length=1)]


_FILE, _EINSUM = TypeAdapter(_File), TypeAdapter(_Einsum)
_TENSOR = re.compile(r"\s*(\w+)\s*\[([^\[\]]*)\]\s*")
_BOUND = re.compile(r"\s*(-?[0-9]{1,15})\s*<=\s*([A-Za-z_]\w*)\s*(<=?)\s*(-?[0-9]{1,15})\s*")


def recognises(data: Any) -> bool:
    """Whether a YAML document holds einsums."""
    return isinstance(data, dict) and isinstance(data.get("workload"), dict) and "einsums" in data["workload"]


def is_template(text: str) -> bool:
    """Whether a text is a template that makes such a document."""
    return "einsums:" in text and ("{{" in text or "{%" in text)


def load(path: Path | str, data: bytes, unknown: Unknown = "error") -> Workload:
    """Return the einsums, in order, as forward operators; tensors of one name depend on each other."""
    if is_template(text_of(path, data)):
        raise InputError("is a template: render it first", file=path)
    document = parse_yaml(path, data)
    if not recognises(document):
        raise InputError("must hold workload.einsums", file=path)
    file = checked(_FILE, document["workload"], path, "workload")
    skips = Skips(path, unknown)
    operators: list[Operator] = []
    for index, entry in enumerate(file.einsums):
        field = f"workload.einsums[{index}]"
        with located(path, field):
            einsum = checked(_EINSUM, _written_out(entry), path, field)
            operator = _Space.of(file, einsum).operator(skips)
            operators += [operator] if operator is not None else []
    if not operators:
        raise InputError("holds no operator that hwsim knows", file=path)
    return Workload(
        name=Path(path).stem, source="AccelForge workload", operators=tuple(operators), skipped=tuple(skips.operators)
    )


@dataclass(frozen=True)
class _Space:
    """An einsum with the range of every rank variable."""

    file: _File
    einsum: _Einsum
    ranges: Mapping[str, tuple[int, int]]

    @classmethod
    def of(cls, file: _File, einsum: _Einsum) -> _Space:
        """Collect ranges: of the einsum, else of the workload, else from the sizes of ranks."""
        used = {name for tensor in einsum.tensor_accesses for axis in _axes(tensor).values() for name in axis if name}
        ranges: dict[str, tuple[int, int]] = {}
        for tensor in einsum.tensor_accesses:
            for rank, axis in _axes(tensor).items():
                if rank in file.rank_sizes and len(axis) == 1 and list(axis.values()) == [1] and "" not in axis:
                    ranges[next(iter(axis))] = (0, file.rank_sizes[rank])
        own = einsum.iteration_space_shape
        texts = [*file.shape.values(), *file.iteration_space_shape.values()]
        for text in [*texts, *(own.values() if isinstance(own, dict) else own)]:
            ranges |= _bounds(text)
        if missing := used - ranges.keys():
            raise InputError("rank variable must have a range", value=min(missing))
        return cls(file, einsum, {name: ranges[name] for name in sorted(used)})

    def operator(self, skips: Skips) -> Operator | None:
        """Return the operator, or None if it was skipped."""
        accesses = [(tensor, self._access(tensor)) for tensor in self.einsum.tensor_accesses]
        reads = [access for tensor, access in accesses if not tensor.output]
        writes = [access for tensor, access in accesses if tensor.output]
        dims = {name: high - low for name, (low, high) in self.ranges.items()}
        fields: dict[str, Any] = {"module": self.einsum.name, "source": "AccelForge einsum"}
        if self.einsum.is_copy_operation and len(reads) == len(writes) == 1:
            return _copy(self.einsum.name, dims, reads[0], writes[0], fields)
        if len(reads) == 2 and len(writes) == 1:
            return contraction(self.einsum.name, dims, reads, writes[0], **fields)
        shapes = [f"{access.name}{list(extents(access, dims))}" for _, access in accesses]
        why = "only einsums that read two tensors and write one, and copies, are known"
        skips.add("einsum", self.einsum.name, shapes, why=why)
        return None

    def _access(self, tensor: _Tensor) -> Access:
        axes = _axes(tensor)
        shifted = tuple(self._from_zero(axis) for axis in axes.values())
        sizes = tuple(self.file.rank_sizes.get(rank, 0) for rank in axes)
        return Access(tensor.name, shifted, self._format(tensor), sizes, self._role(tensor))

    def _from_zero(self, axis: Axis) -> Axis:
        """Rewrite an index for variables that count from zero."""
        shift = sum(factor * self.ranges[name][0] for name, factor in axis.items() if name)
        constant = axis.get("", 0) + shift
        return {name: factor for name, factor in axis.items() if name} | ({"": constant} if constant else {})

    def _format(self, tensor: _Tensor) -> str:
        given = self.file.bits_per_value
        unknown = given.keys() - {"All"} - {name for name in given if name.isidentifier()}
        if unknown:
            raise InputError("set expressions other than All and names are not evaluated", value=min(unknown))
        names = [tensor.name, *(name for name, of in self._renames().items() if of == tensor.name), "All"]
        bits = tensor.bits_per_value or next((given[name] for name in names if name in given), None)
        return f"int{bits}" if bits else "fp32"

    def _role(self, tensor: _Tensor) -> Role | None:
        of = self._renames().get("weight")
        return None if of is None else "parameter" if of == tensor.name else "activation"

    def _renames(self) -> Mapping[str, str]:
        return self.einsum.renames if isinstance(self.einsum.renames, dict) else {}


def _copy(name: str, dims: Mapping[str, int], read: Access, write: Access, fields: dict[str, Any]) -> Operator:
    operands = tuple(
        Operand(name=text, shape=extents(access, dims), format=access.format, tensor=access.name)
        for text, access in (("input", read), ("output", write))
    )
    moved = (operands[0], operands[1].model_copy(update={"access": "write"}))
    sizes = {key.lower(): size for key, size in dims.items()}
    return Operator(name=name, primitive="copy", dims=sizes, operands=moved, **fields)


def _axes(tensor: _Tensor) -> dict[str, Axis]:
    """Index of every rank; a list names the variables, whose upper-case names are the ranks."""
    given = tensor.projection
    return {rank: parse_axis(text) for rank, text in
            (given.items() if isinstance(given, dict) else ((text.upper(), text) for text in given))}  # fmt: skip


def _bounds(text: str) -> dict[str, tuple[int, int]]:
    """Parse ``0 <= a < 3 and 0 <= b <= 4`` into half-open ranges."""
    ranges = {}
    for part in re.split(r"\band\b|&&?", text):
        match = _BOUND.fullmatch(part)
        if match is None:
            raise InputError("must be written low <= name < high", value=text)
        low, high = int(match[1]), int(match[4]) + (match[3] == "<=")
        if high <= low:
            raise InputError("range must not be empty", value=text)
        ranges[match[2]] = (low, high)
    return ranges


def _written_out(entry: str | dict[str, Any]) -> dict[str, Any]:
    """Turn the short form ``Z[m, n] = A[m, k] * B[k, n]`` into tensor accesses."""
    fields = {"einsum": entry} if isinstance(entry, str) else entry
    if "einsum" not in fields:
        return fields
    text = fields["einsum"]
    left, equals, right = str(text).partition("=")
    factors = [_TENSOR.fullmatch(factor) for factor in _factors(right)]
    result = _TENSOR.fullmatch(left)
    if not equals or result is None or None in factors:
        raise InputError("must be written Z[m, n] = A[m, k] * B[k, n]", value=text)
    tensors = [_accessed(match) for match in factors if match is not None]
    tensors.append(_accessed(result) | {"output": True})
    bits = {t.get("name"): t for t in fields.get("tensor_accesses", []) if isinstance(t, dict)}
    merged = [bits.get(tensor["name"], {}) | tensor for tensor in tensors]
    rest = {key: value for key, value in fields.items() if key != "einsum"}
    return {"name": result[1]} | rest | {"tensor_accesses": merged}


def _factors(text: str) -> list[str]:
    """Split at the products between tensors, not at those inside brackets."""
    return re.split(r"(?<=\])\s*\*", text)


def _accessed(match: re.Match[str]) -> dict[str, Any]:
    projection = {}
    for part in match[2].split(","):
        rank, colon, index = part.partition(":")
        projection[rank.strip() if colon else rank.strip().upper()] = index.strip() if colon else rank.strip()
    return {"name": match[1], "projection": projection}
