"""Einsums of other tools: affine accesses of tensors become an operator, in hwsim's dimensions where they fit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hwsim.errors import InputError
from hwsim.workload.contraction import conv2d, matmul
from hwsim.workload.operator import MAIN_OPERANDS, Operand, Operator, Role

_WEIGHT = re.compile(r"weight|filter|kernel", re.IGNORECASE)
_TERM = re.compile(r"\s*([+-])\s*(\w+)\s*(?:\*\s*(\w+)\s*)?")
_CANONICAL = frozenset("gnmcpqrs")

Axis = Mapping[str, int]
"""Coefficient of every dimension; the empty name is the constant."""


@dataclass(frozen=True)
class Access:
    """One tensor of an einsum.

    Attributes
    ----------
    axes
        Which index every axis reads.
    extents
        Sizes of the axes where the file gives them, else 0.
    """

    name: str
    axes: tuple[Axis, ...]
    format: str = "fp32"
    extents: tuple[int, ...] = ()
    role: Role | None = None

    @property
    def dimensions(self) -> frozenset[str]:
        """Dimensions that select an element."""
        return frozenset(name for axis in self.axes for name in axis if name)


def parse_axis(expression: str) -> Axis:
    """Parse ``2*p + r - 1``; a factor may stand on either side of its dimension."""
    text = expression.strip()
    text = text if text[:1] in {"+", "-"} else f"+{text}"
    axis: dict[str, int] = {}
    position = 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None:
            raise InputError("must be a sum of terms such as 2*p + r - 1", value=expression)
        sign, factors = -1 if match[1] == "-" else 1, [part for part in match.groups()[1:] if part]
        numbers = [int(part) for part in factors if part.isascii() and part.isdigit() and len(part) < 16]
        names = [part for part in factors if not part[0].isdigit()]
        if len(names) > 1 or len(names) + len(numbers) < len(factors):
            raise InputError("must be affine, with terms such as 2*p", value=expression)
        value = sign
        for number in numbers:
            value *= number
        axis["".join(names)] = axis.get("".join(names), 0) + value
        position = match.end()
    return axis


def contraction(
    name: str, dims: Mapping[str, int], reads: Sequence[Access], output: Access, **fields: Any
) -> Operator:
    """Return ``output[...] += first[...] * second[...]`` as a ``mac`` operator.

    A tensor called weight, filter or kernel, or one with the role ``parameter``, is the weight; else the second is.
    Products and convolutions of one or two axes get hwsim's own dimensions (see `hwsim.workload.contraction`), with
    which every architecture can map them in their geometry; others keep their dimensions.
    """
    given, weight = reads
    if _is_weight(given) and not _is_weight(weight):
        given, weight = weight, given
    unused = dims.keys() - given.dimensions - weight.dimensions - output.dimensions
    if unused:
        raise InputError("dimension must be used by a tensor", value=min(unused))
    accesses = (given, weight, output)
    known = _product(dims, accesses) or _convolution(dims, accesses)
    if known is not None:
        build, sizes = known
        operator: Operator = build(name, **sizes, **_common(accesses), **fields)
        return operator
    return _general(name, dims, accesses, fields)


def extents(access: Access, dims: Mapping[str, int]) -> tuple[int, ...]:
    """Sizes of the axes: as the file gives them, else what the indices reach from the lowest to the highest."""
    given = access.extents or (0,) * len(access.axes)
    return tuple(size or _span(axis, dims) for size, axis in zip(given, access.axes, strict=True))


def _span(axis: Axis, dims: Mapping[str, int]) -> int:
    return 1 + sum(abs(factor) * (dims[name] - 1) for name, factor in axis.items() if name)


def _general(name: str, dims: Mapping[str, int], accesses: tuple[Access, Access, Access], fields: Any) -> Operator:
    renamed = {dim: dim.lower() for dim in dims}
    if set(renamed.values()) <= _CANONICAL:  # letters that mean something else to hwsim
        renamed = {dim: f"d_{dim.lower()}" for dim in dims}
    if len(set(renamed.values())) < len(renamed):
        raise InputError("dimensions must differ in more than case", value=list(dims))
    common = _common(accesses)
    operands = tuple(
        Operand(
            name=MAIN_OPERANDS[i], shape=extents(access, dims), format=access.format, tensor=access.name,
            role=common["roles"][i], access="write" if i == 2 else "read",
            projection=tuple(_text(axis, renamed) for axis in access.axes),
        )
        for i, access in enumerate(accesses)
    )  # fmt: skip
    sizes = {renamed[dim]: size for dim, size in dims.items()}
    return Operator.model_validate({"name": name, "primitive": "mac", "dims": sizes, "operands": operands, **fields})


def _product(dims: Mapping[str, int], accesses: tuple[Access, Access, Access]) -> tuple[Any, dict[str, Any]] | None:
    """Match a matrix product: plain axes, at most one dimension of each kind."""
    kinds = _kinds(dims, accesses)
    if kinds is None or not all(map(_all_plain, accesses)):
        return None
    size = {kind: dims[names[0]] for kind, names in kinds.items()}
    return matmul, {
        "batch": size.get("g", 1), "rows": size.get("n", 1), "inner": size.get("c", 1), "columns": size.get("m", 1)
    }  # fmt: skip


def _convolution(
    dims: Mapping[str, int], accesses: tuple[Access, Access, Access]
) -> tuple[Any, dict[str, Any]] | None:
    """Match a convolution: one or two axes of the input slide, all other axes are plain."""
    given, weight, output = accesses
    sliding = [axis for axis in given.axes if not _is_plain(axis)]
    fixed = [axis for axis in given.axes if _is_plain(axis)]
    windows = [_window(axis, weight, output) for axis in sliding]
    others = {name for axis in fixed for name in axis}
    if not 1 <= len(sliding) <= 2 or None in windows or others & {n for axis in sliding for n in axis}:
        return None
    if not (_all_plain(weight) and _all_plain(output)) or len(others) < len(fixed):
        return None
    pairs = [pair for pair in windows if pair is not None]
    inside = {name for pair in pairs for name in pair}
    kinds = _kinds({d: s for d, s in dims.items() if d not in inside}, accesses)
    if kinds is None or len(inside) < 2 * len(pairs):
        return None
    size = {kind: dims[names[0]] for kind, names in kinds.items()}
    groups = size.get("g", 1)
    shape = dict(zip(map(id, given.axes), extents(given, dims), strict=True))
    geometry = [
        (dims[p], dims[r], axis[p], axis[r], -axis.get("", 0), shape[id(axis)])
        for (p, r), axis in zip(pairs, sliding, strict=True)
    ]
    places, kernel, stride, dilation, padding, inputs = zip(*(*geometry, (1, 1, 1, 1, 0, 1))[:2], strict=True)
    return conv2d, {
        "batch": size.get("n", 1), "in_channels": groups * size.get("c", 1), "groups": groups,
        "out_channels": groups * size.get("m", 1), "input_size": inputs, "output_size": places, "kernel": kernel,
        "stride": stride, "dilation": dilation, "padding": padding,
    }  # fmt: skip


def _window(axis: Axis, weight: Access, output: Access) -> tuple[str, str] | None:
    """Return the place and the kernel dimension of a sliding axis ``stride*p + dilation*r - padding``."""
    names = [name for name in axis if name]
    places = [n for n in names if n in output.dimensions and n not in weight.dimensions]
    kernels = [n for n in names if n in weight.dimensions and n not in output.dimensions]
    positive = all(axis[name] > 0 for name in names) and axis.get("", 0) <= 0
    if len(names) != 2 or len(places) != 1 or len(kernels) != 1 or not positive:
        return None
    return places[0], kernels[0]


def _kinds(dims: Mapping[str, int], accesses: tuple[Access, Access, Access]) -> dict[str, list[str]] | None:
    """Sort dimensions by the tensors they select from; None if two are alike or one is of no known kind."""
    kinds = {"iwo": "g", "io": "n", "wo": "m", "iw": "c"}
    found: dict[str, list[str]] = {}
    for dim in dims:
        used = "".join(letter for letter, access in zip("iwo", accesses, strict=True) if dim in access.dimensions)
        if used not in kinds or kinds[used] in found:
            return None
        found[kinds[used]] = [dim]
    return found


def _is_plain(axis: Axis) -> bool:
    return len(axis) == 1 and all(name and factor == 1 for name, factor in axis.items())


def _all_plain(access: Access) -> bool:
    """Whether every axis is a dimension of its own."""
    return all(map(_is_plain, access.axes)) and len(access.dimensions) == len(access.axes)


def _is_weight(access: Access) -> bool:
    return access.role == "parameter" or (access.role is None and bool(_WEIGHT.search(access.name)))


def _common(accesses: tuple[Access, Access, Access]) -> dict[str, Any]:
    weight: Role = "parameter" if _is_weight(accesses[1]) else "activation"
    return {
        "formats": tuple(access.format for access in accesses), "tensors": tuple(access.name for access in accesses),
        "roles": ("activation", weight, "activation"),
    }  # fmt: skip


def _text(axis: Axis, renamed: Mapping[str, str]) -> str:
    terms = [f"{factor}*{renamed[name]}" if name else str(factor) for name, factor in axis.items()]
    return " + ".join(terms).replace("+ -", "- ") or "0"
