"""Rounding of values, which gradients pass through unchanged, and of gradients."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


class _StraightThrough(torch.autograd.Function):
    """A function whose gradient is that of the identity."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, function: Any) -> Tensor:
        result: Tensor = function(x)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


def straight_through(x: Tensor, function: Any) -> Tensor:
    """Return ``function(x)``; the gradient passes as if it were ``x``."""
    result: Tensor = _StraightThrough.apply(x, function)  # type: ignore[no-untyped-call]
    return result


@torch.library.custom_op("hwsim::round_to_grid", mutates_args=())
def round_to_grid(x: Tensor, step: Tensor, origin: Tensor, low: float, high: float, form: str) -> Tensor:
    """Return the nearest ``origin + step * n`` with ``n`` in ``low .. high``, ties to even; gradients pass.

    An operator of its own, so that the compiler sees which integers a value stands for, and the tracer that hardware
    keeps these in the format ``form``.
    """
    return ((x - origin) / step).round_().clamp_(low, high).mul_(step).add_(origin)


@torch.library.custom_op("hwsim::round_by_chance", mutates_args=())
def round_by_chance(x: Tensor, step: Tensor, origin: Tensor, low: float, high: float, form: str) -> Tensor:
    """Return ``origin + step * n`` with ``n`` in ``low .. high``, rounded up with the probability of the fraction.

    As `round_to_grid`, for gradients: it has none of its own.
    """
    return ((x - origin) / step).add_(torch.rand_like(x)).floor_().clamp_(low, high).mul_(step).add_(origin)


def _like(x: Tensor, step: Tensor, origin: Tensor, low: float, high: float, form: str) -> Tensor:
    return torch.empty_like(x)


round_to_grid.register_fake(_like)
round_by_chance.register_fake(_like)


def _passed(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    return gradient, None, None, None, None, None


round_to_grid.register_autograd(_passed)


def fixed_point(x: Tensor, bits: int = 32, fraction: int = 16) -> Tensor:
    """Round to ``fixed{bits}_{fraction}``; gradients pass. float32 holds 16.16 exactly below 256."""
    high = 2.0 ** (bits - 1)
    step, origin = x.new_tensor(2.0**-fraction), x.new_tensor(0.0)
    rounded: Tensor = round_to_grid(x, step, origin, -high, high - 1, f"int{bits}")
    return rounded


def on_grid(x: Tensor, bits: int, *, saturate: bool = True) -> Tensor:
    """Round to multiples of ``2**(1 - bits)``, inside -1 .. 1 if they ``saturate`` (WAGEUBN); gradients pass."""
    steps = 2.0 ** (bits - 1)
    most = steps - 1 if saturate else math.inf
    rounded: Tensor = round_to_grid(x, x.new_tensor(1 / steps), x.new_tensor(0.0), -most, most, f"int{bits}")
    return rounded


def between(x: Tensor, low: Tensor, high: Tensor, bits: int) -> Tensor:
    """Round to one of ``2**bits`` steps between two numbers (SBM); gradients pass."""
    rounded: Tensor = round_to_grid(x, _step(low, high, bits), low.clone(), 0.0, 2.0**bits - 1, f"int{bits}")
    return rounded


def _step(low: Tensor, high: Tensor, bits: int) -> Tensor:
    return _positive((high - low) / (2.0**bits - 1))


def _positive(x: Tensor) -> Tensor:
    return x.clamp(min=torch.finfo(x.dtype).tiny)


def rounded_by_power(gradient: Tensor, bits: int, *, by_chance: bool = False) -> Tensor:
    """Round on a grid scaled by the power of two nearest to the largest value (WAGEUBN)."""
    low, high = gradient.aminmax()
    scale = torch.exp2(_positive(torch.maximum(-low, high)).log2().round())
    steps = 2.0 ** (bits - 1)
    grid = scale / steps, torch.zeros_like(scale), 1 - steps, steps - 1, f"int{bits}"
    rounded: Tensor = (round_by_chance if by_chance else round_to_grid)(gradient, *grid)
    return rounded


def rounded_by_extremes(gradient: Tensor, bits: int) -> Tensor:
    """Round to one of ``2**bits`` steps between the extremes (SBM), by chance."""
    low, high = gradient.aminmax()
    rounded: Tensor = round_by_chance(gradient, _step(low, high, bits), low, 0.0, 2.0**bits - 1, f"int{bits}")
    return rounded
