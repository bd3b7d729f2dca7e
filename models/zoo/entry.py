"""What the zoo says about a network: how to make it, what it is fed, and its published numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Entry:
    """A network and its published numbers.

    Attributes
    ----------
    make
        Builds it, with random weights.
    input_shape
        Of one sample; of a graph, its nodes and their features.
    parameters
        Number of trained values.
    macs
        Multiply-accumulates of one sample's forward pass, in convolutions and matrix products.
    source
        Where the two numbers come from.
    tokens
        Known tokens, for networks that read those instead of numbers.
    edges
        Of a graph, self-loops included where the network wants them.
    arguments
        Tensors of that shape that it reads.
    """

    make: Callable[[], nn.Module]
    input_shape: tuple[int, ...]
    parameters: int
    macs: int
    source: str
    tokens: int | None = None
    edges: int | None = None
    arguments: int = 1

    def inputs(self, batch: int) -> Tensor | tuple[Tensor, ...]:
        """Return ``batch`` samples of zeros; of graphs, the features and the edges of ``batch`` disjoint copies."""
        kind = torch.float32 if self.tokens is None else torch.int64
        if self.edges is None:
            samples = torch.zeros(batch, *self.input_shape, dtype=kind)
            return samples if self.arguments == 1 else tuple(samples.clone() for _ in range(self.arguments))
        nodes, features = self.input_shape
        return torch.zeros(batch * nodes, features), torch.zeros(2, batch * self.edges, dtype=torch.int64)
