"""An ONNX graph with the shapes and formats of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hwsim.errors import InputError, MissingPackageError

try:
    import onnx
    from google.protobuf.message import DecodeError
    from onnx import shape_inference

    from hwsim.workload.importers.onnx.folding import fold
except ModuleNotFoundError as error:
    raise MissingPackageError("onnx", "reading onnx files", "importers") from error

_FORMATS = {
    "FLOAT": "fp32", "DOUBLE": "fp64", "FLOAT16": "fp16", "BFLOAT16": "bf16", "FLOAT8E4M3FN": "fp8_e4m3",
    "FLOAT8E5M2": "fp8_e5m2", "FLOAT4E2M1": "fp4_e2m1", "BOOL": "bool", "COMPLEX64": "complex64",
    "COMPLEX128": "complex128", "INT4": "int4", "UINT4": "uint4",
    **{f"{sign}INT{bits}": f"{sign.lower()}int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)},
}  # fmt: skip
_ROUNDS = 8  # of inference and folding; each folds one more step of shapes computed from shapes
_KEPT_BYTES = 1024  # shapes, axes and scalars, which shape inference reads
_STANDARD = ("", "ai.onnx")

Shape = tuple[int | str, ...]
"""Sizes; a dynamic axis has its name."""


@dataclass
class Graph:
    """What the rules ask about a graph.

    Attributes
    ----------
    known
        Tensors whose values do not depend on the inputs.
    """

    path: Path | str
    name: str
    versions: str
    nodes: list[Any]
    inputs: list[str]
    shapes: dict[str, Shape]
    formats: dict[str, str]
    known: set[str]
    scalars: dict[str, float]
    names: dict[str, int] = field(default_factory=dict)
    _aliases: dict[str, str] = field(default_factory=dict)

    def is_known_before(self, node: Any) -> bool:
        """Whether a node computes from shapes and constants alone."""
        if node.domain not in _STANDARD or node.op_type.startswith("Random"):
            return False
        return node.op_type in ("Shape", "Size") or all(name in self.known for name in node.input if name)

    def alias(self, old: str, new: str) -> None:
        """Note that ``new`` has the values of ``old``."""
        self._aliases[new] = self.identity(old)

    def identity(self, name: str) -> str:
        """Return the tensor whose values ``name`` has."""
        return self._aliases.get(name, name)


def read(path: Path | str, data: bytes, sizes: Mapping[str, int]) -> Graph:
    """Parse a model, drop the values of its weights and infer its shapes.

    Raises
    ------
    InputError
        If it is malformed, or shape inference refuses it.
    """
    try:
        model = onnx.load_model_from_string(data)
    except (DecodeError, ValueError, TypeError) as error:
        raise InputError(f"is not a well-formed ONNX model: {error}", file=path) from error
    graph = model.graph
    if not graph.node:
        raise InputError("is not an ONNX model: its graph has no nodes", file=path)
    _check_texts(path, graph)
    scalars = _drop_values(graph)
    _set_sizes(graph, sizes)
    graph, shapes = _inferred(path, model)
    for _ in range(_ROUNDS):
        if not any(isinstance(size, str) for shape in shapes.values() for size in shape) or not fold(graph, shapes):
            break
        model.graph.CopyFrom(graph)
        graph, shapes = _inferred(path, model)
    constants = {tensor.name for tensor in graph.initializer} | {t.values.name for t in graph.sparse_initializer}
    versions = ", ".join(f"{o.domain or 'ai.onnx'} {o.version}" for o in model.opset_import)
    read = Graph(
        path, graph.name, f"opset {versions}", list(graph.node),
        [given.name for given in graph.input if given.name not in constants], shapes, {}, constants, scalars,
    )  # fmt: skip
    for value in (*graph.value_info, *graph.output, *graph.input):
        read.formats[value.name] = _format(value.type.tensor_type.elem_type)
    for tensor in graph.initializer:
        read.formats[tensor.name] = _format(tensor.data_type)
    return read


def _check_texts(path: Path | str, graph: Any) -> None:
    """Refuse names that are not UTF-8, which the parser returns as bytes."""
    for index, node in enumerate(graph.node):
        texts = (node.name, node.op_type, node.domain, *node.input, *node.output, *(a.name for a in node.attribute))
        if wrong := [text for text in texts if not isinstance(text, str)]:
            raise InputError("name must be UTF-8", file=path, field=f"node {index}", value=wrong[0])
    values = (graph, *graph.input, *graph.output, *graph.value_info, *graph.initializer)
    if wrong := [value.name for value in values if not isinstance(value.name, str)]:
        raise InputError("name must be UTF-8", file=path, value=wrong[0])


def _inferred(path: Path | str, model: Any) -> tuple[Any, dict[str, Shape]]:
    """Return the graph with inferred shapes, and the shapes of all tensors whose rank is known."""
    try:
        graph = shape_inference.infer_shapes(model, data_prop=True).graph
    except (shape_inference.InferenceError, RuntimeError, ValueError, TypeError, IndexError) as error:
        raise InputError(f"shapes cannot be inferred: {str(error).partition(chr(10))[0]}", file=path) from error
    shapes: dict[str, Shape] = {}
    for value in (*graph.value_info, *graph.output, *graph.input):
        if value.type.tensor_type.HasField("shape"):
            dims = value.type.tensor_type.shape.dim
            shapes[value.name] = tuple(d.dim_value if d.HasField("dim_value") else d.dim_param or "?" for d in dims)
    return graph, shapes | {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}


def _drop_values(graph: Any) -> dict[str, float]:
    """Empty all large initializers and return the values of those with one element."""
    scalars = {}
    for tensor in graph.initializer:
        if tensor.ByteSize() > _KEPT_BYTES:
            for name in ("raw_data", "float_data", "double_data", "int32_data", "int64_data", "uint64_data"):
                tensor.ClearField(name)
        elif (value := _scalar(tensor)) is not None:
            scalars[tensor.name] = value
    for node in graph.node:
        value = next((_scalar(a.t) for a in node.attribute if a.name == "value"), None)
        if node.op_type == "Constant" and value is not None and node.output:
            scalars[node.output[0]] = value
    return scalars


def _scalar(tensor: Any) -> float | None:
    if any(size != 1 for size in tensor.dims) or tensor.data_location == onnx.TensorProto.EXTERNAL:
        return None
    try:
        array = onnx.numpy_helper.to_array(tensor)
        return float(array.reshape(-1)[0]) if array.size == 1 and array.dtype.kind in "fiu" else None
    except (ValueError, TypeError, IndexError, NotImplementedError):  # no value that could be used
        return None


def _set_sizes(graph: Any, sizes: Mapping[str, int]) -> None:
    """Give dynamic axes their sizes, and let inference find the shapes of everything else again."""
    given = sizes.items()
    for value in graph.input:
        for dim in value.type.tensor_type.shape.dim:
            dim_size = next((size for name, size in given if dim.dim_param == name), None)
            if dim_size is not None:
                dim.dim_value = dim_size
    if sizes:
        del graph.value_info[:]
        for value in graph.output:
            value.type.tensor_type.ClearField("shape")


def _format(kind: int) -> str:
    name = onnx.TensorProto.DataType.Name(kind) if kind in onnx.TensorProto.DataType.values() else str(kind)
    return _FORMATS.get(name, "")
