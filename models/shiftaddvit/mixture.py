"""A mixture of primitives: every token goes to a linear layer that multiplies, or to one that shifts."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import hwsim
from hwsim.errors import InputError
from models.layers import ShiftLinear

LEAST_NOISE = 1e-2
"""Standard deviation of the noise on scores that training never goes below."""


class Routing(NamedTuple):
    """What the router said about the tokens of the last training pass, each ``(tokens, experts)``."""

    probabilities: Tensor
    chances: Tensor
    """Probability that the expert is the best one if its noise were drawn again."""


class Mixture(nn.Module):
    """Two linear layers with the same weights, one of them rounded to powers of two, and a router between them.

    In training, the router's scores are noisy (N. Shazeer et al., Outrageously Large Neural Networks, ICLR 2017). A
    token's output is its expert's, unscaled, so that a pretrained network keeps its function; the gradient of the
    router is that of an output scaled by the expert's probability, divided by it.

    Parameters
    ----------
    linear
        The layer that is replaced; it becomes the first expert.

    Attributes
    ----------
    alpha
        Of each expert, the share of its latency in that of all: see `models.shiftaddvit.balance`.
    shares
        None: each token goes to the expert with the highest score. Two shares that add up to one: so many of the tokens
            go to each, those to the second that prefer it most. Shapes then do not depend on data.
    """

    alpha: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        shift = ShiftLinear(linear.in_features, linear.out_features, linear.bias is not None)
        shift.adopt(linear.weight.detach()[:, :, None, None])
        if linear.bias is not None:
            shift.bias = nn.Parameter(linear.bias.detach().clone())
        self.experts = nn.ModuleList([linear, shift])
        self.router = nn.Linear(linear.in_features, 2)
        self.noise = nn.Linear(linear.in_features, 2)
        nn.init.zeros_(self.noise.weight)
        self.register_buffer("alpha", torch.full((2,), 0.5))
        self.shares: tuple[float, float] | None = None
        self.routing: Routing | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Copies do not have the routing of the last batch: it belongs to a graph."""
        return {**self.__dict__, "routing": None}

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., in_features)`` to ``(..., out_features)``."""
        tokens = x.flatten(0, -2)
        scores = self._scores(tokens)
        probabilities = scores.softmax(1)
        scale = probabilities / probabilities.detach()
        choose = self._all_by_both if self.training and self.shares is None else self._each_by_one
        return choose(tokens, scores, scale).view(*x.shape[:-1], self.out_features)

    def _all_by_both(self, tokens: Tensor, scores: Tensor, scale: Tensor) -> Tensor:
        """Compute every token twice and keep one result, so that each step of a training has the same shapes.

        A recording is told how many tokens each expert would have run.
        """
        shifted = scores[:, 1:] > scores[:, :1]
        share = shifted.float().mean().item()
        for expert, executed in zip(self.experts, (1 - share, share), strict=True):
            hwsim.annotate(expert, executed=executed)
        multiply, shift = (expert(tokens) * scale[:, [i]] for i, expert in enumerate(self.experts))
        return torch.where(shifted, shift, multiply)

    def _each_by_one(self, tokens: Tensor, scores: Tensor, scale: Tensor) -> Tensor:
        result = tokens.new_zeros(len(tokens), self.out_features)
        for i, chosen in enumerate(self._assign(scores)):
            if len(chosen):
                result = result.index_add(0, chosen, self.experts[i](tokens[chosen]) * scale[chosen, i, None])
        return result

    def _scores(self, tokens: Tensor) -> Tensor:
        clean: Tensor = self.router(tokens)
        if not self.training:
            return clean
        deviation = F.softplus(self.noise(tokens)) + LEAST_NOISE
        noisy = clean + torch.randn_like(clean) * deviation
        self.routing = Routing(noisy.softmax(1), torch.special.ndtr((clean - noisy.flip(1)) / deviation))
        return noisy

    def _assign(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Return the indices of the tokens of each expert."""
        if self.shares is None:
            shifted = scores[:, 1] > scores[:, 0]
            return (~shifted).nonzero().flatten(), shifted.nonzero().flatten()
        order = (scores[:, 1] - scores[:, 0]).argsort()
        shifts = round(self.shares[1] * len(order))
        return order[: len(order) - shifts], order[len(order) - shifts :]

    def extra_repr(self) -> str:
        """Return the shares where they are fixed."""
        return "" if self.shares is None else f"shares={self.shares}"


def set_shares(network: nn.Module, shifted: float | None) -> None:
    """Let every mixture shift this share of its tokens; none: let the routers decide.

    Raises
    ------
    InputError
        If the share is not 0 to 1.
    """
    if shifted is not None and not 0 <= shifted <= 1:
        raise InputError("must be 0 to 1", field="shifted", value=shifted)
    for module in network.modules():
        if isinstance(module, Mixture):
            module.shares = None if shifted is None else (1 - shifted, shifted)
