"""What the front end understands: a network as operators on images, in real numbers.

Values have names; each is an image ``(channels, rows, columns)`` per sample. Features are an image of one pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Term = Literal["mac", "shift", "adder", "binary"]
"""What a convolution sums: ``x * w`` with any, power-of-two or binary weights, or ``-|x - w|``."""

Array: TypeAlias = NDArray[Any]
Pair = tuple[int, int]
Image = tuple[int, int, int]


@dataclass(frozen=True)
class Geometry:
    """Stride, padding and dilation in rows and columns, as in PyTorch."""

    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)


@dataclass(frozen=True)
class Convolution:
    """Weights ``(filters, channels / groups, rows, columns)``; a linear layer's kernel covers the whole image.

    ``weight_bits``: width of integers that hold the weights, where the network says so. ``step``: per filter, what
    such an integer of 1 stands for.
    """

    name: str
    source: str
    output: str
    term: Term
    weight: Array
    geometry: Geometry = Geometry()
    groups: int = 1
    weight_bits: int | None = None
    step: Array | None = None

    @property
    def kernel(self) -> Pair:
        """Rows and columns."""
        return self.weight.shape[2], self.weight.shape[3]


@dataclass(frozen=True)
class Pool:
    """Maximum, or sum times ``factor``, over a window."""

    name: str
    source: str
    output: str
    maximum: bool
    kernel: Pair
    geometry: Geometry
    factor: float = 1.0


@dataclass(frozen=True)
class Affine:
    """``x * scale + offset`` per channel."""

    name: str
    source: str
    output: str
    scale: Array
    offset: Array


@dataclass(frozen=True)
class Clip:
    """Limits; either may be infinite."""

    name: str
    source: str
    output: str
    low: float = -np.inf
    high: float = np.inf


@dataclass(frozen=True)
class Add:
    """The sum of two images."""

    name: str
    source: str
    output: str
    other: str


Operator = Convolution | Pool | Affine | Clip | Add


def sources(operator: Operator) -> tuple[str, ...]:
    """Return the values that an operator reads."""
    return (operator.source, operator.other) if isinstance(operator, Add) else (operator.source,)


@dataclass(frozen=True)
class Graph:
    """Operators in order of execution.

    Attributes
    ----------
    input, output
        Values that come in and go out.
    shapes
        Image of every value.
    steps
        Of values that the network itself rounds: the step, and the least and largest integer.
    """

    input: str
    output: str
    shapes: dict[str, Image]
    operators: tuple[Operator, ...]
    steps: dict[str, tuple[float, float, float]]

    @property
    def readers(self) -> dict[str, list[Operator]]:
        """Operators that read each value."""
        found: dict[str, list[Operator]] = {name: [] for name in self.shapes}
        for operator in self.operators:
            for name in sources(operator):
                found[name].append(operator)
        return found
