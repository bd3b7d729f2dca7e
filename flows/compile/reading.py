"""Reading an exported program: what is known so far, and what its nodes say."""

from __future__ import annotations

import math
import operator as python_operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch._ops import OpOverload
from torch.fx import Node

from flows.compile.operators import Array, Image, Operator
from flows.compile.program import Program, UnsupportedError

NO_COMMAND = "has no command"


@dataclass
class Reading:
    """Operators so far, and which value each node stands for."""

    program: Program
    operators: list[Operator] = field(default_factory=list)
    shapes: dict[str, Image] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    steps: dict[str, tuple[float, float, float]] = field(default_factory=dict)

    def value(self, node: Any) -> str:
        """Return the value that a node stands for."""
        return self.values[node.name]

    def image(self, node: Any) -> Image:
        """Return a node's image."""
        return self.shapes[self.value(node)]

    def add(self, node: Node, operator: Operator, shape: Image) -> None:
        """Append the operator that makes a node."""
        self.operators.append(operator)
        self.shapes[operator.output] = shape
        self.values[node.name] = operator.output

    def same(self, node: Node) -> None:
        """Let a node stand for what its first input stands for."""
        self.values[node.name] = self.value(first_input(node))


Rule = Callable[[Reading, Node], None]


def operator_name(node: Node) -> str:
    """Return the name of a node's operator, without overload."""
    return "getitem" if node.target is python_operator.getitem else str(node.target).rpartition(".")[0]


def first_input(node: Node) -> Node:
    """Return the node whose result is the first argument."""
    source = node.args[0]
    if not isinstance(source, Node):
        raise UnsupportedError("must begin with a value")
    return source


def arguments(node: Node) -> dict[str, Any]:
    """Return arguments by the name in the operator's schema, defaults included."""
    if not isinstance(node.target, OpOverload):
        raise UnsupportedError(NO_COMMAND)
    schema = node.target._schema
    given = dict(zip([argument.name for argument in schema.arguments], node.args, strict=False))
    defaults = {argument.name: argument.default_value for argument in schema.arguments if argument.has_default_value()}
    return {**defaults, **given, **node.kwargs}


def pair(values: Any) -> tuple[int, int]:
    """Return one number for rows and one for columns."""
    values = [values] if isinstance(values, int) else list(values)
    return (values[0], values[-1])


def numpy_of(tensor: Any) -> Array:
    """Return a tensor as an array of doubles."""
    return np.asarray(tensor.double().numpy())


def per_channel(state: Reading, node: Node, argument: Any, shape: Image) -> Array:
    """Return a constant as a number per channel."""
    constant = state.program.constant(argument)
    values = np.asarray(constant.double().numpy() if isinstance(constant, torch.Tensor) else float(constant))
    axes = (1, *shape) if len(node.meta["val"].shape) == 4 else (1, math.prod(shape))
    full = np.broadcast_to(values, axes)
    per_channel = full.reshape(shape[0], -1) if full.size == math.prod(shape) else full
    if not (per_channel == per_channel[:, :1]).all():
        raise UnsupportedError("must be the same for all pixels of a channel")
    return np.array(per_channel[:, 0])
