"""Networks that PyTorch has quantised (PT2E): the grids of their activations and weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.fx import Node

from flows.compile.operators import Array
from flows.compile.program import Program, UnsupportedError

QUANTISE, DEQUANTISE = "quantized_decomposed.quantize_per_", "quantized_decomposed.dequantize_per_"


def grid(node: Node) -> tuple[float, float, float]:
    """Return step, least and largest integer of a node that makes numbers of integers; the integer of 0 is 0.

    Raises
    ------
    UnsupportedError
        If the integers were made on another grid, or by something else.
    """
    source, *own = node.args
    if not isinstance(source, Node) or not str(source.target).startswith(f"{QUANTISE}tensor"):
        raise UnsupportedError("must follow a quantisation")
    if list(source.args[1:5]) != own[:4]:
        raise UnsupportedError("must have the grid of the quantisation before it")
    step, zero, low, high = (float(value) for value in own[:4])  # type: ignore[arg-type]
    return step, low - zero, high - zero


def weight_step(program: Program, weight: Any) -> Array | None:
    """Return per filter what an integer of 1 stands for; None if the weights are no integers around zero."""
    if not isinstance(weight, Node) or not str(weight.target).startswith(DEQUANTISE):
        return None
    _, steps, zeros, *rest = (program.constant(argument) for argument in weight.args)
    filters = len(program.constant(weight))
    if str(weight.target).startswith(f"{DEQUANTISE}channel"):
        if rest[0] != 0:
            return None
        zeros = torch.zeros(filters) if zeros is None else zeros
    if np.any(np.asarray(zeros)):
        return None
    return np.broadcast_to(np.asarray(steps, np.float64), (filters,))
