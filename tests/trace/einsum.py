"""An independent reading of contractions: execute the extended einsum, point by point, from its projections."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from hwsim.workload import Operand, Operator
from hwsim.workload.operator import affine


def execute(operator: Operator, given: dict[str, torch.Tensor]) -> NDArray[np.float64]:
    """Return the written operand, as long as the result has the written operand's shape.

    ``given`` holds the operands that are read, by name. Points that read or write outside of a tensor do nothing,
    which is what padding means.
    """
    names = list(operator.dims)
    grid = dict(zip(names, np.indices(tuple(operator.dims.values())).reshape(len(names), -1), strict=True))
    inside = np.ones(operator.points, dtype=bool)
    value = np.ones(operator.points)
    for name, tensor in given.items():
        operand = operator.operand(name)
        index, valid = places(operand, grid, operator.points)
        data = tensor.detach().double().numpy().reshape(operand.shape)
        value = value * data[tuple(np.where(valid, axis, 0) for axis in index)]
        inside &= valid
    index, valid = places(operator.written, grid, operator.points)
    inside &= valid
    result = np.zeros(operator.written.shape)
    np.add.at(result, tuple(axis[inside] for axis in index), value[inside])
    return result


def places(
    operand: Operand, grid: dict[str, NDArray[np.int64]], points: int
) -> tuple[list[NDArray[np.int64]], NDArray[np.bool_]]:
    index, valid = [], np.ones(points, dtype=bool)
    for axis, size in zip(operand.projection, operand.shape, strict=True):
        place = np.zeros(points, dtype=np.int64)
        for name, factor in affine(axis).items():
            place = place + factor * (grid[name] if name else 1)
        valid &= (place >= 0) & (place < size)
        index.append(place)
    return index, valid
