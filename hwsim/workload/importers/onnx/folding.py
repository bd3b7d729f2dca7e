"""Shape arithmetic: small integer tensors computed from shapes, which ONNX's own inference follows only in part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

_LARGEST = 64  # elements; a shape has fewer
_FAILURES = (ValueError, TypeError, IndexError, KeyError, OverflowError, ZeroDivisionError, NotImplementedError)
_INTEGERS = {onnx.TensorProto.INT64: np.int64, onnx.TensorProto.INT32: np.int64, onnx.TensorProto.BOOL: np.bool_}

Value = Any  # an integer or boolean array of at most _LARGEST elements


def fold(graph: Any, shapes: Mapping[str, Sequence[int | str]]) -> bool:
    """Replace nodes whose small integer results follow from ``shapes`` by initializers; return whether any did."""
    values: dict[str, Value] = {}
    for tensor in graph.initializer:
        _keep(values, tensor.name, partial(_array, tensor))
    kept, found = [], []
    for node in graph.node:
        if node.domain in ("", "ai.onnx") and len(node.output) == 1:
            _keep(values, node.output[0], partial(_evaluate, node, values, shapes))
        if node.op_type != "Constant" and any(name in values for name in node.output):
            found.append(numpy_helper.from_array(values[node.output[0]], node.output[0]))
        else:
            kept.append(node)
    if found:
        nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
        del graph.node[:]
        graph.node.extend(nodes)
        graph.initializer.extend(found)
    return bool(found)


def _keep(values: dict[str, Value], name: str, compute: Callable[[], Value | None]) -> None:
    try:
        with np.errstate(all="raise"):
            value = compute()
    except (*_FAILURES, FloatingPointError):  # the node stays in the graph, whose own rules name what is wrong
        return
    if value is not None and value.size <= _LARGEST and value.dtype.kind in "ib":
        values[name] = np.asarray(value, np.bool_ if value.dtype.kind == "b" else np.int64)


def _array(tensor: Any) -> Value | None:
    small = 0 <= int(np.prod([float(size) for size in tensor.dims])) <= _LARGEST
    inside = tensor.data_location != onnx.TensorProto.EXTERNAL
    return numpy_helper.to_array(tensor) if small and inside and tensor.data_type in _INTEGERS else None


def _evaluate(node: Any, values: Mapping[str, Value], shapes: Mapping[str, Sequence[int | str]]) -> Value | None:
    told = {attribute.name: attribute for attribute in node.attribute}
    if node.op_type == "Constant":
        return _array(told["value"].t) if "value" in told else None
    if node.op_type == "Shape":
        shape = list(shapes[node.input[0]])
        return None if told or any(isinstance(size, str) for size in shape) else np.array(shape, np.int64)
    if node.op_type not in _OPERATORS or not all(name in values for name in node.input):
        return None
    return _OPERATORS[node.op_type]([values[name] for name in node.input], told)


def _cast(given: list[Value], told: Mapping[str, Any]) -> Value | None:
    kind = _INTEGERS.get(told["to"].i)
    return None if kind is None else given[0].astype(kind)


def _axes(given: list[Value], told: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(told["axes"].ints) if "axes" in told else tuple(int(axis) for axis in given[1])


def _unsqueezed(given: list[Value], told: Mapping[str, Any]) -> Value:
    return np.expand_dims(given[0], _axes(given, told))


def _filled(given: list[Value], told: Mapping[str, Any]) -> Value | None:
    if any(size > _LARGEST for size in given[0]) or len(given[0]) > 4 or int(np.prod(given[0])) > _LARGEST:
        return None
    value = _array(told["value"].t) if "value" in told else None
    return None if value is None else np.full(given[0], value.reshape(-1)[0])


def _sliced(given: list[Value], told: Mapping[str, Any]) -> Value:
    starts, ends = (int(part[0]) for part in given[1:3])
    step = int(given[4][0]) if len(given) > 4 else 1
    if given[0].ndim != 1 or any(part.size != 1 for part in given[1:]):
        raise ValueError("only slices of shapes")
    return given[0][starts:ends:step]


_OPERATORS: Mapping[str, Callable[[list[Value], Mapping[str, Any]], Value | None]] = {
    "Add": lambda given, told: given[0] + given[1],
    "Sub": lambda given, told: given[0] - given[1],
    "Mul": lambda given, told: given[0] * given[1],
    "Div": lambda given, told: given[0] // given[1],
    "Equal": lambda given, told: given[0] == given[1],
    "Where": lambda given, told: np.where(*given),
    "Gather": lambda given, told: np.take(given[0], given[1], axis=told["axis"].i if "axis" in told else 0),
    "Concat": lambda given, told: np.concatenate(given, axis=told["axis"].i),
    "Reshape": lambda given, told: given[0].reshape(given[1]),
    "Squeeze": lambda given, told: np.squeeze(given[0], _axes(given, told) if told or given[1:] else None),
    "Unsqueeze": _unsqueezed,
    "Cast": _cast,
    "ConstantOfShape": _filled,
    "Slice": _sliced,
    "Identity": lambda given, told: given[0],
}
