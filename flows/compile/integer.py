"""The network in integers: what the accelerator computes, independent of how it is cut into commands."""

from __future__ import annotations

from dataclasses import dataclass

from flows.compile.element import Mode
from flows.compile.operators import Array, Geometry, Image, Pair


@dataclass(frozen=True)
class Sum:
    """Sums of a convolution; ``weight`` is ``(filters, channels / groups, rows, columns)`` in the mode's integers."""

    mode: Mode
    weight: Array
    geometry: Geometry
    groups: int = 1

    @property
    def kernel(self) -> Pair:
        """Rows and columns."""
        return self.weight.shape[2], self.weight.shape[3]


@dataclass(frozen=True)
class Reduce:
    """Maximum or sum over a window."""

    maximum: bool
    kernel: Pair
    geometry: Geometry


@dataclass(frozen=True)
class Layer:
    """``clip(round_half_even(((main + bias) * multiplier + residual * residual_multiplier) / 2**shift), low, high)``.

    Attributes
    ----------
    name
        Layers of the network that it does.
    source, output, residual
        Tensors; the residual may be absent.
    bias, multiplier
        Per output channel.
    """

    name: str
    source: str
    output: str
    main: Sum | Reduce
    bias: Array
    multiplier: Array
    shift: int
    low: int
    high: int
    residual: str = ""
    residual_multiplier: int = 0


@dataclass(frozen=True)
class IntegerGraph:
    """Layers in order of execution.

    Attributes
    ----------
    input, output
        Tensors that come in and go out.
    shapes, scales
        Of each tensor: its image, and the number that its integer 1 stands for.
    limits
        Least and largest activation.
    sum_bits
        Width at which sums wrap.
    """

    input: str
    output: str
    shapes: dict[str, Image]
    scales: dict[str, float]
    layers: tuple[Layer, ...]
    limits: tuple[int, int]
    sum_bits: int
