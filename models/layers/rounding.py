"""Rounding that gradients pass through unchanged, and the quantisers of the papers built on it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from hwsim.errors import InputError


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
def round_to_grid(x: Tensor, step: Tensor, origin: Tensor, low: float, high: float) -> Tensor:
    """Return the nearest ``origin + step * n`` with ``n`` in ``low .. high``, ties to even; gradients pass.

    An operator of its own, so that the compiler sees which integers a value stands for.
    """
    return ((x - origin) / step).round_().clamp_(low, high).mul_(step).add_(origin)


@round_to_grid.register_fake
def _(x: Tensor, step: Tensor, origin: Tensor, low: float, high: float) -> Tensor:
    return torch.empty_like(x)


def _passed(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    return gradient, None, None, None, None


round_to_grid.register_autograd(_passed)


def fixed_point(x: Tensor, bits: int = 32, fraction: int = 16) -> Tensor:
    """Round to ``fixed{bits}_{fraction}``; gradients pass. float32 holds 16.16 exactly below 256."""
    high = 2.0 ** (bits - 1)
    rounded: Tensor = round_to_grid(x, x.new_tensor(2.0**-fraction), x.new_tensor(0.0), -high, high - 1)
    return rounded


def on_grid(x: Tensor, bits: int, *, saturate: bool = True) -> Tensor:
    """Round to multiples of ``2**(1 - bits)``, inside -1 .. 1 if they ``saturate`` (WAGEUBN); gradients pass."""
    steps = 2.0 ** (bits - 1)
    most = steps - 1 if saturate else math.inf
    rounded: Tensor = round_to_grid(x, x.new_tensor(1 / steps), x.new_tensor(0.0), -most, most)
    return rounded


def drawn_on_grid(x: Tensor, bits: int) -> Tensor:
    """Round to multiples of ``2**(1 - bits)`` inside -1 .. 1, up with the probability of the fraction."""
    steps = 2.0 ** (bits - 1)
    return (x * steps + torch.rand_like(x)).floor().clamp(1 - steps, steps - 1) / steps


def rounded_by_power(gradient: Tensor, bits: int) -> Tensor:
    """Round on a grid scaled by the power of two nearest to the largest value (WAGEUBN), by chance."""
    scale = torch.exp2(_positive(gradient.abs().max()).log2().round())
    return drawn_on_grid(gradient / scale, bits) * scale


def rounded_by_extremes(gradient: Tensor, bits: int) -> Tensor:
    """Round to one of ``2**bits`` steps between the extremes (SBM), by chance."""
    low, high = gradient.aminmax()
    most = 2.0**bits - 1
    step = _positive((high - low) / most)
    return ((gradient - low) / step + torch.rand_like(gradient)).floor().clamp(max=most) * step + low


def _positive(x: Tensor) -> Tensor:
    return x.clamp(min=torch.finfo(x.dtype).tiny)


class _RoundedGradient(torch.autograd.Function):
    """The identity, whose gradient a function rounds."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, function: Any, bits: int) -> Tensor:
        ctx.function, ctx.bits = function, bits
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return ctx.function(gradient, ctx.bits), None, None


class Wageubn(nn.Module):
    """WAGEUBN's quantiser: values on a grid, errors on a grid scaled by a power of two, rounded stochastically.

    Parameters
    ----------
    bits
        Of the values.
    error_bits
        Of the errors that come back; default: ``bits``.
    saturate
        Whether values stay inside -1 .. 1. ShiftAddNet's adder layers let them pass, whose weights start with a
        deviation of 1: bits before the point come on top.
    """

    def __init__(self, bits: int, error_bits: int | None = None, *, saturate: bool = True) -> None:
        super().__init__()
        self.bits, self.error_bits = _checked(bits), _checked(bits if error_bits is None else error_bits)
        self.saturate = saturate

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` quantised."""
        passed: Tensor = _RoundedGradient.apply(x, rounded_by_power, self.error_bits)  # type: ignore[no-untyped-call]
        return on_grid(passed, self.bits, saturate=self.saturate)


class Sbm(nn.Module):
    """The uniform quantiser of SBM (R. Banner et al., NeurIPS 2018): 2**bits steps between running extremes.

    In training, the extremes move by a tenth towards those of each batch; evaluation uses them as they are.

    Parameters
    ----------
    bits
        Of the values.
    error_bits
        Of the errors that come back, on as many steps between their extremes; none: not rounded.
    """

    low: Tensor
    high: Tensor
    seen: Tensor

    def __init__(self, bits: int, error_bits: int | None = None, momentum: float = 0.9) -> None:
        super().__init__()
        self.bits, self.momentum = _checked(bits), momentum
        self.error_bits = None if error_bits is None else _checked(error_bits)
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))
        self.register_buffer("seen", torch.zeros((), dtype=torch.bool))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` quantised."""
        if self.error_bits is not None:
            x = _RoundedGradient.apply(x, rounded_by_extremes, self.error_bits)  # type: ignore[no-untyped-call]
        if self.training:
            self._observe(x.detach())
        levels = 2.0**self.bits - 1
        step = _positive((self.high - self.low) / levels)
        rounded: Tensor = round_to_grid(x, step, self.low.clone(), 0.0, levels)
        return rounded

    @torch.no_grad()
    def _observe(self, x: Tensor) -> None:
        for extreme, now in ((self.low, x.min()), (self.high, x.max())):
            kept = torch.where(self.seen, self.momentum, 0.0)
            extreme.mul_(kept).add_(now * (1 - kept))
        self.seen.fill_(True)


QUANTISERS = ("wageubn", "sbm")


def quantisers(kind: str | None, bits: int, *, saturate: bool = True) -> tuple[nn.Module, nn.Module]:
    """Return the quantisers of a layer's inputs and of its weights by name; none: identities.

    Raises
    ------
    InputError
        If there is none of that name, or ``bits`` are not 2 to 32.
    """
    if kind is None:
        return nn.Identity(), nn.Identity()
    if kind == "wageubn":
        return Wageubn(bits, saturate=saturate), Wageubn(bits, saturate=saturate)
    if kind == "sbm":
        return Sbm(bits, error_bits=bits), Sbm(bits)
    raise InputError(f"must be one of {', '.join(QUANTISERS)}", field="quantise", value=kind)


def quantised_facts(x: nn.Module, weight: nn.Module) -> dict[str, str]:
    """Return what recordings should know of a layer with these quantisers: `hwsim.annotate` tells the words."""
    chosen = {"reads": x, "weights": weight}
    return {name: f"int{one.bits}" for name, one in chosen.items() if isinstance(one, Wageubn | Sbm)}


def _checked(bits: int) -> int:
    if not 2 <= bits <= 32:
        raise InputError("must be 2 to 32", field="bits", value=bits)
    return bits
