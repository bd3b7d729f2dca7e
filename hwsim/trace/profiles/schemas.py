"""From the arguments of a profiled operator to a bound call of one of its overloads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch

from hwsim.errors import InputError
from hwsim.trace.lowering.lower import RULES
from hwsim.trace.lowering.pointwise import nothing
from hwsim.trace.records import TensorRef
from hwsim.trace.signature import Signature

_FREE = frozenset(
    {"resize_", "as_strided_", "set_", "cudnn_is_acceptable", "is_nonzero", "item", "result_type", "_unsafe_view"}
)
"""Operators outside the rules that neither compute nor move anything."""

DTYPES = {
    "float": torch.float32, "double": torch.float64, "c10::Half": torch.float16, "c10::BFloat16": torch.bfloat16,
    "long int": torch.int64, "long": torch.int64, "int": torch.int32, "short int": torch.int16, "short": torch.int16,
    "signed char": torch.int8, "unsigned char": torch.uint8, "bool": torch.bool,
    "c10::complex<float>": torch.complex64, "c10::complex<double>": torch.complex128,
    "c10::Float8_e4m3fn": torch.float8_e4m3fn, "c10::Float8_e5m2": torch.float8_e5m2,
}  # fmt: skip
"""By the names that the profilers write."""

_SCALAR_TYPES = {
    0: torch.uint8, 1: torch.int8, 2: torch.int16, 3: torch.int32, 4: torch.int64, 5: torch.float16,
    6: torch.float32, 7: torch.float64, 9: torch.complex64, 10: torch.complex128, 11: torch.bool, 15: torch.bfloat16,
}  # fmt: skip
_PLACEMENT = frozenset({"Layout", "Device", "MemoryFormat", "Generator", "Stream"})


def has_rule(name: str) -> bool:
    """Whether the tracer makes operators of ``name``."""
    return name.startswith("aten::") and RULES.get(name.rstrip("_"), nothing) is not nothing


def only_allocates(name: str) -> bool:
    """Whether the tracer makes nothing of ``name``, though it may return a new tensor."""
    return name.startswith("aten::") and RULES.get(name.rstrip("_")) is nothing


def dtype_of(name: str, place: str) -> torch.dtype:
    """Return the type that the profilers call ``name``."""
    if name not in DTYPES:
        raise InputError(f"type must be one of {', '.join(DTYPES)}", field=place, value=name)
    return DTYPES[name]


def is_free(name: str) -> bool:
    """Whether an operator without a rule and without operators inside only returns views or numbers."""
    space, _, rest = name.partition("::")
    if space != "aten":
        return False
    return rest in _FREE or any(_is_view(function) for function in _overloads(rest))


def overload(name: str, arguments: Sequence[Any], full: str, place: str) -> torch._ops.OpOverload:
    """Return the overload ``full`` (``aten::add_.Tensor``), or the first that takes ``arguments``.

    Raises
    ------
    InputError
        If there is none.
    """
    for function in _overloads(name.partition("::")[2]):
        schema = function._schema
        if full and full != ".".join(filter(None, (schema.name, schema.overload_name))):
            continue
        if len(arguments) == len(schema.arguments) and all(
            _fits(argument.type, value) for argument, value in zip(schema.arguments, arguments, strict=True)
        ):
            return function
    raise InputError(f"arguments must be those of an overload of {full or name}", field=place, value=arguments)


def converted(function: torch._ops.OpOverload, arguments: Sequence[Any]) -> dict[str, Any]:
    """Bind ``arguments`` by name; types become ``torch.dtype``, and where tensors lie is forgotten."""
    schema = function._schema
    values = [_convert(argument, value) for argument, value in zip(schema.arguments, arguments, strict=True)]
    return signature(function).bind(values, {})


@cache
def signature(function: torch._ops.OpOverload) -> Signature:
    """Return the names and writes of an overload."""
    return Signature.of(function)


@cache
def _overloads(name: str) -> tuple[torch._ops.OpOverload, ...]:
    packet = getattr(torch.ops.aten, name, None) if name.isidentifier() and not name.startswith("__") else None
    if not isinstance(packet, torch._ops.OpOverloadPacket):
        return ()
    return tuple(getattr(packet, overload) for overload in packet.overloads())


def _is_view(function: torch._ops.OpOverload) -> bool:
    returns = function._schema.returns
    return bool(returns) and all(r.alias_info is not None and not r.alias_info.is_write for r in returns)


def _fits(kind: Any, value: Any) -> bool:
    if kind.kind() == "OptionalType":
        return value is None or _fits(kind.getElementType(), value)
    if kind.kind() == "TensorType":
        return isinstance(value, TensorRef)
    if kind.kind() == "ListType":
        inner = kind.getElementType()
        return isinstance(value, tuple) and all(_fits(inner, item) for item in value)
    if kind.kind() in {"IntType", "SymIntType"}:
        return isinstance(value, int)
    if kind.kind() in {"NumberType", "FloatType"}:
        return isinstance(value, int | float)
    if kind.kind() == "BoolType":
        return isinstance(value, bool)
    return value is None or isinstance(value, int | str)


def _convert(argument: Any, value: Any) -> Any:
    kind = argument.real_type
    inner = str(kind.getElementType() if kind.kind() == "OptionalType" else kind)
    if inner in _PLACEMENT:
        return None
    if inner == "str" and value is None:  # Kineto writes no text
        return argument.default_value
    return _SCALAR_TYPES.get(value) if inner == "ScalarType" else value
