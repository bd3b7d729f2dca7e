"""Binary codes {0, 1} of queries and keys, so that products with them are additions under a mask.

Two of the paper's: a channel is one where it exceeds its token's mean, or hash functions of a kernel as in J. Liu et
al., EcoFormer: Energy-Saving Attention with Linear Complexity, NeurIPS 2022.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from hwsim.errors import InputError

Codes = Literal["hash", "mean"]

NEIGHBOURS = 10
"""Tokens most alike, and as many least alike, that the hash functions are fitted to."""
STEPS, RATE, MOMENTUM = 100, 5e-4, 0.9
"""Of the fit of one hash function."""


class _Step(torch.autograd.Function):
    """A comparison with zero, whose gradient passes where the value lies strictly between two bounds."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.bounds = low, high
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (x,), (low, high) = ctx.saved_tensors, ctx.bounds
        return torch.where((x > low) & (x < high), gradient, 0.0), None, None


def step(x: Tensor, low: float, high: float) -> Tensor:
    """Return one where ``x`` is positive, else zero; the gradient passes where ``low < x < high``."""
    result: Tensor = _Step.apply(x, low, high)  # type: ignore[no-untyped-call]
    return result


class MeanThreshold(nn.Module):
    """One bit a channel: whether it exceeds the mean of its token's channels."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, heads, tokens, channels)`` to codes of the same shape."""
        return step(x - x.mean(-1, keepdim=True), -1, 1)


class KernelHash(nn.Module):
    """Hash functions of every head: signs of weighted Gaussian kernels of a token and a few anchors.

    Anchors and weights are random until `fit`, and no optimizer changes them.

    Parameters
    ----------
    heads, channels
        Of the tokens.
    bits
        Hash functions of a head, the length of its codes.
    anchors
        Tokens kept for the kernel.
    """

    anchors: Tensor
    variance: Tensor
    mean: Tensor
    weights: Tensor

    def __init__(self, heads: int, channels: int, bits: int = 16, anchors: int = 25) -> None:
        super().__init__()
        if anchors < 2 * NEIGHBOURS:
            raise InputError(f"must be at least {2 * NEIGHBOURS}", field="anchors", value=anchors)
        self.register_buffer("anchors", torch.randn(heads, anchors, channels))
        self.register_buffer("variance", torch.full((heads, 1, 1), 2.0 * channels))
        self.register_buffer("mean", torch.zeros(heads, 1, anchors))
        self.register_buffer("weights", torch.randn(heads, anchors, bits))
        self._centre()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, heads, tokens, channels)`` to codes ``(batch, heads, tokens, bits)``."""
        return step(self._features(x) @ self.weights, 0, 1)

    @torch.no_grad()
    def fit(self, tokens: Tensor) -> None:
        """Choose anchors among ``tokens`` ``(heads, tokens, channels)`` and fit the hash functions to their likeness.

        Raises
        ------
        InputError
            If there are fewer tokens than anchors.
        """
        heads, count, channels = tokens.shape
        kept = self.anchors.shape[1]
        if count < kept:
            raise InputError(f"must hold at least the {kept} anchors", field="tokens", value=count)
        picked = torch.rand(heads, count, device=tokens.device).argsort(1)[:, :kept, None]
        self.anchors.copy_(tokens.gather(1, picked.expand(-1, -1, channels)))
        self.variance.copy_(torch.cdist(self.anchors, self.anchors).square().mean((1, 2), keepdim=True))
        self._centre()
        features = self._features(self.anchors)
        residual = self.weights.shape[2] * likeness(self.anchors)
        for bit in range(self.weights.shape[2]):
            self.weights[:, :, bit] = _fitted(features, residual)
            signs = torch.where(features @ self.weights[:, :, bit, None] > 0, 1.0, -1.0)
            residual = residual - signs @ signs.mT

    def _centre(self) -> None:
        self.mean.zero_()
        self.mean.copy_(self._features(self.anchors).mean(1, keepdim=True))

    def _features(self, x: Tensor) -> Tensor:
        """Kernels ``(..., heads, tokens, anchors)``, less their mean over the anchors."""
        squares = x.square().sum(-1, keepdim=True) + self.anchors.square().sum(-1)[:, None]
        distances = squares - 2 * (x @ self.anchors.mT)
        return torch.exp(distances / (-2 * self.variance)) - self.mean

    def extra_repr(self) -> str:
        """Return the sizes."""
        heads, anchors, bits = self.weights.shape
        return f"heads={heads}, anchors={anchors}, bits={bits}"


def likeness(tokens: Tensor) -> Tensor:
    """Return 1 for each token's largest dot products with the others, -1 for its smallest, else 0.

    Parameters
    ----------
    tokens
        ``(heads, tokens, channels)``; the result is ``(heads, tokens, tokens)``.
    """
    products = tokens @ tokens.mT
    result = torch.zeros_like(products)
    result.scatter_(2, products.topk(NEIGHBOURS, largest=False).indices, -1.0)
    return result.scatter_(2, products.topk(NEIGHBOURS).indices, 1.0)


@torch.enable_grad()
def _fitted(features: Tensor, residual: Tensor) -> Tensor:
    """Return weights ``(heads, anchors)`` of the hash function that fits the residual best, head by head.

    The sign is relaxed to a sigmoid; heads for which that does not improve the signs' fit keep their random start.
    """
    start = torch.randn_like(features[:, :1]).mT
    weights = start.clone().requires_grad_()
    optimizer = torch.optim.SGD([weights], lr=RATE, momentum=MOMENTUM, nesterov=True)
    for _ in range(STEPS):
        relaxed = 2 * torch.sigmoid(features @ weights) - 1
        loss = -(relaxed.mT @ residual @ relaxed).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    better = _fit(features, residual, weights) > _fit(features, residual, start)
    return torch.where(better, weights, start)[..., 0].detach()


def _fit(features: Tensor, residual: Tensor, weights: Tensor) -> Tensor:
    """How well signs reproduce the residual, ``(heads, 1, 1)``."""
    signs = torch.where(features @ weights > 0, 1.0, -1.0)
    return signs.mT @ residual @ signs


CODES: dict[str, type[nn.Module]] = {"hash": KernelHash, "mean": MeanThreshold}
