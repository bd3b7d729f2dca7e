"""Timeloop problems: one einsum given by dimensions, projections in sum-of-products form, and sizes.

Source: NVlabs/timeloop, ``problem-shapes`` and its tests; the forms with ``data-spaces`` (v0.3) and ``data_spaces``
(v0.4), ``instance`` apart or in place, and the built-in ``cnn-layer``, are read. Number formats are not part of a
problem: all tensors get fp32.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, Field, TypeAdapter

from hwsim.errors import InputError
from hwsim.workload.importers.einsum import Access, Axis, contraction
from hwsim.workload.importers.reading import checked, located, parse_yaml
from hwsim.workload.importers.unknown import Skips, Unknown
from hwsim.workload.operator import Size
from hwsim.workload.workload import Workload

_Names = Annotated[list[str], Field(min_length=1, max_length=64)]


class _Coefficient(BaseModel):
    name: str
    default: int = 1


class _DataSpace(BaseModel):
    name: str
    projection: list[list[list[str | int]]]
    """Per axis a sum of products of dimensions, coefficients and numbers."""
    written: bool = Field(default=False, validation_alias=AliasChoices("read-write", "read_write"))


class _Shape(BaseModel):
    name: str = "problem"
    dimensions: _Names
    coefficients: list[_Coefficient] = []
    spaces: Annotated[list[_DataSpace], Field(min_length=1)] = Field(
        validation_alias=AliasChoices("data-spaces", "data_spaces")
    )


_SHAPE = TypeAdapter(_Shape)
_SIZE = TypeAdapter(Size)
_COEFFICIENT = TypeAdapter(Annotated[int, Field(ge=-(2**31), le=2**31)])
_CNN_LAYER = {
    "name": "cnn-layer",
    "dimensions": list("RSPQCKN"),
    "coefficients": [{"name": f"{axis}{kind}"} for kind in ("stride", "dilation") for axis in "WH"],
    "data-spaces": [
        {"name": "Weights", "projection": [[["C"]], [["K"]], [["R"]], [["S"]]]},
        {"name": "Inputs", "projection": [
            [["N"]], [["C"]], [["R", "Wdilation"], ["P", "Wstride"]], [["S", "Hdilation"], ["Q", "Hstride"]]]},
        {"name": "Outputs", "projection": [[["N"]], [["K"]], [["Q"]], [["P"]]], "read-write": True},
    ],
}  # fmt: skip


def recognises(data: Any) -> bool:
    """Whether a YAML document holds a problem."""
    if not isinstance(data, dict):
        return False
    return "problem" in data or ("shape" in data and ("instance" in data or "schema" not in data))


def load(path: Path | str, data: bytes, unknown: Unknown = "error") -> Workload:
    """Return the problem as a workload of one operator."""
    document = parse_yaml(path, data)
    if not recognises(document):
        raise InputError("must hold a field problem, or shape and instance", file=path)
    problem, field = (document["problem"], "problem") if "problem" in document else (document, "")
    if not isinstance(problem, dict):
        raise InputError("must be a mapping", file=path, field=field, value=problem)
    given = problem.get("shape", "cnn-layer")
    if given in ("cnn-layer", "cnn_layer"):
        given = _CNN_LAYER
    shape = checked(_SHAPE, given, path, f"{field}.shape".lstrip("."))
    instance = problem.get("instance", problem)
    if not isinstance(instance, dict):
        raise InputError("must be a mapping of sizes", file=path, field=f"{field}.instance", value=instance)
    skips = Skips(path, unknown)
    return _workload(path, shape, instance, skips)


def _workload(path: Path | str, shape: _Shape, instance: Mapping[Any, Any], skips: Skips) -> Workload:
    dims = {name: _value(_SIZE, instance, name, path) for name in shape.dimensions}
    factors = {c.name: _value(_COEFFICIENT, {c.name: c.default} | dict(instance), c.name, path) for c in
               shape.coefficients}  # fmt: skip
    reads = [_access(space, dims, factors, path) for space in shape.spaces if not space.written]
    writes = [_access(space, dims, factors, path) for space in shape.spaces if space.written]
    source = f"Timeloop problem {shape.name}"
    if len(reads) != 2 or len(writes) != 1 or any(instance.get(key) for key in ("densities", "density")):
        shapes = [f"{space.name}({len(space.projection)} axes)" for space in shape.spaces]
        why = "only dense problems that read two tensors and write one are known"
        skips.add("problem", shape.name, shapes, why=why)
        raise InputError("holds no operator that hwsim knows", file=path)
    with located(path, "problem"):
        operator = contraction(shape.name, dims, reads, writes[0], module=shape.name, source=source)
        return Workload(name=Path(path).stem, source=source, operators=(operator,))


def _access(space: _DataSpace, dims: Mapping[str, int], factors: Mapping[str, int], path: Path | str) -> Access:
    axes = tuple(_axis(axis, dims, factors, path, f"data-space {space.name}") for axis in space.projection)
    return Access(space.name, axes)


def _axis(
    terms: list[list[str | int]], dims: Mapping[str, int], factors: Mapping[str, int], path: Path | str, field: str
) -> Axis:
    """Sum the products; each has at most one dimension."""
    axis: dict[str, int] = {}
    for product in terms:
        names = [part for part in product if part in dims]
        value = 1
        for part in product:
            if part in dims:
                continue
            if not (isinstance(part, int) or part in factors):
                raise InputError("must be a dimension or a coefficient", file=path, field=field, value=part)
            value *= part if isinstance(part, int) else factors[part]
        if len(names) > 1:
            raise InputError("must be affine: one dimension in each product", file=path, field=field, value=product)
        name = str(names[0]) if names else ""
        axis[name] = axis.get(name, 0) + value
    return axis


def _value(adapter: TypeAdapter[int], instance: Mapping[Any, Any], name: str, path: Path | str) -> int:
    if name not in instance:
        raise InputError("size is required", file=path, field=f"problem.instance.{name}")
    return checked(adapter, instance[name], path, f"problem.instance.{name}")
