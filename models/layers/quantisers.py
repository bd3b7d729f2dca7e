"""The quantisers of the papers: of values, and of the errors and gradients that come back in training."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from hwsim.errors import InputError
from models.layers.rounding import between, on_grid, rounded_by_extremes, rounded_by_power


class _RoundedGradient(torch.autograd.Function):
    """The identity, whose gradient a function rounds."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, function: Any, bits: int) -> Tensor:
        ctx.function, ctx.bits = function, bits
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return ctx.function(gradient, ctx.bits), None, None


def with_rounded_gradient(x: Tensor, function: Callable[[Tensor, int], Tensor], bits: int) -> Tensor:
    """Return ``x``; the gradient that comes back is ``function`` of it and of ``bits``."""
    passed: Tensor = _RoundedGradient.apply(x, function, bits)  # type: ignore[no-untyped-call]
    return passed


class RoundedGradient(nn.Module):
    """The identity, through which gradients come back rounded: the errors of the layer before it.

    Parameters
    ----------
    function
        Of a gradient and its bits.
    bits
        Of the gradients.
    """

    def __init__(self, function: Callable[[Tensor, int], Tensor], bits: int) -> None:
        super().__init__()
        self.function, self.bits = function, _checked(bits)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x``."""
        return with_rounded_gradient(x, self.function, self.bits)


class Wageubn(nn.Module):
    """WAGEUBN's quantiser of values: multiples of ``2**(1 - bits)``.

    Parameters
    ----------
    bits
        Of the values.
    saturate
        Whether values stay inside -1 .. 1. ShiftAddNet's adder layers let them pass, whose weights start with a
        deviation of 1: bits before the point come on top.
    gradients
        Whether gradients that come back are rounded as well, by chance.
    """

    def __init__(self, bits: int, *, saturate: bool = True, gradients: bool = False) -> None:
        super().__init__()
        self.bits, self.saturate, self.gradients = _checked(bits), saturate, gradients

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` quantised."""
        if self.gradients:
            x = with_rounded_gradient(x, partial(rounded_by_power, by_chance=True), self.bits)
        return on_grid(x, self.bits, saturate=self.saturate)


class MinMax(nn.Module):
    """The uniform quantiser of SBM (R. Banner et al., NeurIPS 2018) for weights: 2**bits steps between the extremes.

    Parameters
    ----------
    bits
        Of the values.
    """

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = _checked(bits)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` quantised."""
        return between(x, *self._extremes(x.detach()), self.bits)

    def _extremes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        low, high = x.aminmax()
        return low, high


class Sbm(MinMax):
    """SBM's quantiser of activations: evaluation has the running extremes, which follow a tenth of the way in training.

    Parameters
    ----------
    bits
        Of the values.
    momentum
        Share of the running extremes that a batch keeps.
    """

    low: Tensor
    high: Tensor
    seen: Tensor

    def __init__(self, bits: int, momentum: float = 0.9) -> None:
        super().__init__(bits)
        self.momentum = momentum
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))
        self.register_buffer("seen", torch.zeros((), dtype=torch.bool))

    @torch.no_grad()
    def _extremes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if not self.training:
            return self.low, self.high
        now = super()._extremes(x)
        kept = torch.where(self.seen, self.momentum, 0.0)
        for running, extreme in zip((self.low, self.high), now, strict=True):
            running.mul_(kept).add_(extreme * (1 - kept))
        self.seen.fill_(True)
        return now


QUANTISERS = ("wageubn", "sbm")


def quantisers(kind: str | None, bits: int, *, saturate: bool = True) -> tuple[nn.Module, nn.Module, nn.Module]:
    """Return the quantisers of a layer's inputs, its weights and, behind its outputs, its errors; none: identities.

    Errors are rounded where they enter the layer's backward pass, as in ShiftAddNet's code: by ``wageubn`` to the
    nearest, which rounds gradients of weights too, by chance; by ``sbm`` by chance.

    Raises
    ------
    InputError
        If there is none of that name, or ``bits`` are not 2 to 32.
    """
    if kind is None:
        return nn.Identity(), nn.Identity(), nn.Identity()
    if kind == "wageubn":
        weight = Wageubn(bits, saturate=saturate, gradients=True)
        return Wageubn(bits, saturate=saturate), weight, RoundedGradient(rounded_by_power, bits)
    if kind == "sbm":
        return Sbm(bits), MinMax(bits), RoundedGradient(rounded_by_extremes, bits)
    raise InputError(f"must be one of {', '.join(QUANTISERS)}", field="quantise", value=kind)


def quantised_facts(x: nn.Module, weight: nn.Module, errors: nn.Module) -> dict[str, str]:
    """Return what recordings should know of a layer with these quantisers: `hwsim.annotate` tells the words."""
    chosen = {"reads": x, "weights": weight, "errors": errors}
    return {name: f"int{one.bits}" for name, one in chosen.items() if not isinstance(one, nn.Identity)}


def _checked(bits: int) -> int:
    if not 2 <= bits <= 32:
        raise InputError("must be 2 to 32", field="bits", value=bits)
    return bits
