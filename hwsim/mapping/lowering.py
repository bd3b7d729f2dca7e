"""From an extended einsum to the nest that the row-stationary array runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hwsim.mapping.row_stationary import Nest
from hwsim.workload.operator import Operand, Operator, affine

_SPATIAL = frozenset("pqrs")


def convolution_nest(operator: Operator, *, fold_groups: bool = False) -> Nest | None:
    """Return the nest of a convolution or matrix product in its own geometry, or None if it has none.

    Products and forward convolutions have one; so has the input gradient of a convolution with unit stride, which
    is a convolution with its channels exchanged.

    Parameters
    ----------
    fold_groups
        Count groups as more of the batch through one weight instead of as repeats.
    """
    dims = operator.dims
    if not dims.keys() <= frozenset("gnmc") | _SPATIAL:
        return None
    groups, batch = dims.get("g", 1), dims.get("n", 1)
    repeats, n = (1, groups * batch) if fold_groups else (groups, batch)
    m, c = dims.get("m", 1), dims.get("c", 1)
    if not _SPATIAL & dims.keys():
        return _product_nest(operator, n, repeats)
    image, result = operator.operand("input"), operator.operand("output")
    rows, columns = (affine(axis) for axis in image.projection[-2:])
    stride = (rows.get("p", 1), columns.get("q", 1))
    dilation = (rows.get("r", 1), columns.get("s", 1))
    (h, w), (e, f) = image.shape[-2:], result.shape[-2:]
    r, s = dims.get("r", 1), dims.get("s", 1)
    if operator.written is result:
        return Nest(n, m, c, e, f, r, s, h, w, stride=stride, dilation=dilation, repeats=repeats)
    if operator.written is image and stride == (1, 1):
        return Nest(n, c, m, h, w, r, s, e, f, dilation=dilation, repeats=repeats)
    return None


def matrix_nest(operator: Operator) -> Nest:
    """Return the nest of any contraction seen as a matrix product (im2col), exact in operations.

    Dimensions of all three operands repeat the product; those missing from the result are summed over.
    """
    first, second = (o for o in _main(operator) if o is not operator.written)
    here, there = first.dimensions, second.dimensions
    written = operator.written.dimensions
    return Nest(
        n=_extent(operator, (here & written) - there),
        m=_extent(operator, (there & written) - here),
        c=_extent(operator, operator.dims.keys() - written),
        repeats=_extent(operator, here & there & written),
    )


@dataclass(frozen=True)
class Product:
    """``repeats`` independent products of an m x k and a k x n matrix."""

    m: int
    k: int
    n: int
    repeats: int
    first: Operand
    """The operand that the m x k matrices are made of; im2col may repeat its elements."""
    second: Operand
    """The operand that the k x n matrices are made of."""


def matrix_product(operator: Operator) -> Product:
    """Return any contraction as a matrix product, the weight second wherever it is a factor."""
    nest = matrix_nest(operator)
    first, second = (o for o in _main(operator) if o is not operator.written)
    if operator.written.name == "input":
        return Product(nest.m, nest.c, nest.n, nest.repeats, second, first)
    return Product(nest.n, nest.c, nest.m, nest.repeats, first, second)


def _product_nest(operator: Operator, n: int, repeats: int) -> Nest:
    m, c = operator.dims.get("m", 1), operator.dims.get("c", 1)
    by_result = {"output": (n, m, c), "input": (n, c, m), "weight": (c, m, n)}
    n, m, c = by_result[operator.written.name]
    return Nest(n, m, c, repeats=repeats)


def _main(operator: Operator) -> list[Operand]:
    return [operator.operand(name) for name in ("input", "weight", "output")]


def _extent(operator: Operator, names: frozenset[str] | set[str]) -> int:
    return math.prod(operator.dims[name] for name in names)
