"""The latency-aware load-balancing loss: tokens per expert in inverse proportion to what the expert's tokens take.

H. You et al., ShiftAddViT, NeurIPS 2023: ``CV^2(alpha * importance) + CV^2(alpha * load)``, after N. Shazeer et al.,
ICLR 2017. There alpha is a constant; here it comes from simulated latencies.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

import hwsim
from hwsim.errors import InputError
from hwsim.trace import trace
from models.shiftaddvit.mixture import Mixture, Routing
from models.shiftaddvit.watch import watch

WEIGHT = 0.01
"""Of the loss beside that of the task."""


def imbalance(amounts: Tensor, alpha: Tensor) -> Tensor:
    """Return the squared coefficient of variation of ``alpha * amounts``: zero where amounts go as ``1 / alpha``."""
    weighted = alpha * amounts
    return weighted.var() / weighted.mean().square().clamp(min=torch.finfo(weighted.dtype).tiny)


def routing_loss(routing: Routing, alpha: Tensor) -> Tensor:
    """Return the loss of one mixture: of the probabilities' sums (importance) and the chances' sums (load)."""
    return imbalance(routing.probabilities.sum(0), alpha) + imbalance(routing.chances.sum(0), alpha)


def balance_loss(network: nn.Module) -> Tensor:
    """Return the sum over all mixtures of the last training pass, weighted.

    Raises
    ------
    InputError
        If no mixture has routed tokens in training.
    """
    losses = [routing_loss(m.routing, m.alpha) for m in mixtures(network) if m.routing is not None]
    if not losses:
        raise InputError(
            "must have mixtures and have run in training mode", field="network", value=type(network).__name__
        )
    return WEIGHT * torch.stack(losses).sum()


def mixtures(network: nn.Module) -> Iterator[Mixture]:
    """Yield the mixtures of a network."""
    return (module for module in network.modules() if isinstance(module, Mixture))


def simulate_latencies(network: nn.Module, images: Tensor, on: str, accounting: str = "operator") -> None:
    """Set every mixture's ``alpha`` from the latencies of its experts, each with all tokens of ``images``.

    Parameters
    ----------
    on, accounting
        Architecture and accounting convention, as of `hwsim.score`.

    Raises
    ------
    InputError
        If the network has no mixtures.
    HwsimError
        If an expert cannot be priced.
    """
    if not (counts := _token_counts(network, images)):
        raise InputError("must have mixtures", field="network", value=type(network).__name__)
    known: dict[tuple[int, int, int], Tensor] = {}
    for mixture, tokens in counts.items():
        size = tokens, mixture.in_features, mixture.out_features
        if size not in known:
            latency_s = [_latency_s(expert, *size[:2], on, accounting) for expert in mixture.experts]
            known[size] = torch.tensor(latency_s) / sum(latency_s)
        mixture.alpha.copy_(known[size])


def _token_counts(network: nn.Module, images: Tensor) -> dict[Mixture, int]:
    counts: dict[Mixture, int] = {}

    def count(mixture: nn.Module, given: tuple[Tensor, ...]) -> None:
        if isinstance(mixture, Mixture):
            counts[mixture] = given[0].shape[:-1].numel()

    watch(network, images, count)
    return counts


def _latency_s(expert: nn.Module, tokens: int, features: int, on: str, accounting: str) -> float:
    """Latency of an expert's product; how PyTorch makes weights and inputs that are shifted is no part of it."""
    step = trace(expert, torch.zeros(tokens, features), name="expert")
    products = tuple(operator for operator in step.operators if operator.is_contraction)
    return hwsim.score(step.model_copy(update={"operators": products}), on=on, accounting=accounting).latency_s
