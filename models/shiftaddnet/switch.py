"""Training of powers of two without real weights beside them: ShiftAddNet's switch bar."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class SwitchBar(Optimizer):
    """Weights that are powers of two double, halve, or leave zero once enough steps agree.

    A step of SGD with momentum that would move a weight by more than ``threshold`` counts as a vote for its
    direction. At ``bar`` votes the weight moves to the next power of two that way, zero to the least one, and its
    votes start anew.

    Parameters
    ----------
    parameters
        Real weights of shift layers (``parametrisation="q"``) that hold powers of two and zeros.
    lr, momentum
        Of the step.
    bar
        Votes, those against taken off.
    threshold
        Of a step that counts.
    lowest
        The least power. Smaller ones become zero; the largest is 1.
    """

    def __init__(
        self, parameters: Iterable[Tensor], lr: float = 0.1, momentum: float = 0.9, bar: int = 7,
        threshold: float = 5e-3, lowest: int = -7,
    ) -> None:  # fmt: skip
        super().__init__(
            parameters, {"lr": lr, "momentum": momentum, "bar": bar, "threshold": threshold, "lowest": lowest}
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Count votes and move the weights whose votes reach the bar."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._vote(weight, weight.grad, self.state[weight], group)

    def _vote(self, weight: Tensor, gradient: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> None:
        if not state:
            state["velocity"], state["votes"] = torch.zeros_like(weight), torch.zeros_like(weight)
        move = state["velocity"].mul_(group["momentum"]).add_(gradient) * -group["lr"]
        votes = state["votes"].add_(torch.where(move.abs() > group["threshold"], move.sign(), 0.0))
        way = torch.where(votes.abs() >= group["bar"], votes.sign(), 0.0)
        least = 2.0 ** group["lowest"]
        moved = torch.where(weight == 0, way * least, weight * torch.exp2(way * weight.sign()))
        moved = torch.where(moved.abs() < least, 0.0, moved.clamp(-1, 1))
        weight.copy_(moved)
        votes.masked_fill_(way != 0, 0.0)
