"""Rounding that gradients pass through unchanged, and the quantisers of the papers built on it."""

from __future__ import annotations

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


def on_grid(x: Tensor, bits: int, stochastic: bool = False) -> Tensor:
    """Round to multiples of ``2**(1 - bits)`` inside -1 .. 1 (WAGEUBN); gradients pass.

    Parameters
    ----------
    stochastic
        Round up with the probability of the fraction, as for gradients.
    """
    steps = 2.0 ** (bits - 1)
    if stochastic:
        return straight_through(
            x, lambda v: (v * steps + torch.rand_like(v)).floor().clamp(1 - steps, steps - 1) / steps
        )
    rounded: Tensor = round_to_grid(x, x.new_tensor(1 / steps), x.new_tensor(0.0), 1 - steps, steps - 1)
    return rounded


class _RoundedGradient(torch.autograd.Function):
    """The identity, whose gradient is rounded on a grid scaled by the power of two nearest to its largest value."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bits: int) -> Tensor:
        ctx.bits = bits
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        largest = gradient.abs().max().clamp(min=torch.finfo(gradient.dtype).tiny)
        scale = torch.exp2(largest.log2().round())
        return on_grid(gradient / scale, ctx.bits, stochastic=True) * scale, None


class Wageubn(nn.Module):
    """WAGEUBN's quantiser: values on a grid, errors on a grid scaled by a power of two, rounded stochastically.

    Parameters
    ----------
    bits
        Of the values.
    error_bits
        Of the errors that come back; default: ``bits``.
    """

    def __init__(self, bits: int, error_bits: int | None = None) -> None:
        super().__init__()
        self.bits, self.error_bits = _checked(bits), _checked(bits if error_bits is None else error_bits)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` quantised."""
        passed: Tensor = _RoundedGradient.apply(x, self.error_bits)  # type: ignore[no-untyped-call]
        return on_grid(passed, self.bits)


class Sbm(nn.Module):
    """The uniform quantiser of SBM (R. Banner et al., NeurIPS 2018): 2**bits steps between running extremes.

    In training, the extremes move by a tenth towards those of each batch; evaluation uses them as they are.

    Parameters
    ----------
    bits
        Of the values.
    """

    low: Tensor
    high: Tensor
    seen: Tensor

    def __init__(self, bits: int, momentum: float = 0.9) -> None:
        super().__init__()
        self.bits, self.momentum = _checked(bits), momentum
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))
        self.register_buffer("seen", torch.zeros((), dtype=torch.bool))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` quantised."""
        if self.training:
            self._observe(x.detach())
        levels = 2.0**self.bits - 1
        step = ((self.high - self.low) / levels).clamp(min=torch.finfo(x.dtype).tiny)
        rounded: Tensor = round_to_grid(x, step, self.low.clone(), 0.0, levels)
        return rounded

    @torch.no_grad()
    def _observe(self, x: Tensor) -> None:
        for extreme, now in ((self.low, x.min()), (self.high, x.max())):
            kept = torch.where(self.seen, self.momentum, 0.0)
            extreme.mul_(kept).add_(now * (1 - kept))
        self.seen.fill_(True)


QUANTISERS = {"wageubn": Wageubn, "sbm": Sbm}


def quantiser(kind: str | None, bits: int) -> nn.Module:
    """Return a quantiser by name; none: the identity.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if kind is None:
        return nn.Identity()
    if kind not in QUANTISERS:
        raise InputError(f"must be one of {', '.join(QUANTISERS)}", field="quantise", value=kind)
    return QUANTISERS[kind](bits)


def quantised_facts(x: nn.Module, weight: nn.Module) -> dict[str, str]:
    """Return what recordings should know of a layer with these quantisers: `hwsim.annotate` tells the words."""
    chosen = {"reads": x, "weights": weight}
    return {name: f"int{one.bits}" for name, one in chosen.items() if isinstance(one, Wageubn | Sbm)}


def _checked(bits: int) -> int:
    if not 2 <= bits <= 32:
        raise InputError("must be 2 to 32", field="bits", value=bits)
    return bits
