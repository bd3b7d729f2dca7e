"""Neural collaborative filtering (NeuMF): X. He et al., WWW 2017."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class NeuMF(nn.Module):
    """A product of factors beside a perceptron, over embeddings of a user and an item.

    Parameters
    ----------
    users, items
        Rows of the embeddings; those of MovieLens-1M by default.
    factors
        Predictive factors.
    depth
        Layers of the perceptron, each half as wide as the one before.
    """

    def __init__(self, users: int = 6040, items: int = 3706, factors: int = 32, depth: int = 3) -> None:
        super().__init__()
        width = factors << (depth - 1)
        self.user_factors, self.item_factors = nn.Embedding(users, factors), nn.Embedding(items, factors)
        self.user_features, self.item_features = nn.Embedding(users, width), nn.Embedding(items, width)
        layers: list[nn.Module] = []
        for index in range(depth):
            inputs = 2 * width >> index
            layers += [nn.Dropout(0.0), nn.Linear(inputs, inputs // 2), nn.ReLU()]
        self.perceptron = nn.Sequential(*layers)
        self.head = nn.Linear(2 * factors, 1)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Return scores ``(batch,)`` of pairs of indices, each ``(batch,)``."""
        product = self.user_factors(user) * self.item_factors(item)
        features = self.perceptron(torch.cat((self.user_features(user), self.item_features(item)), dim=-1))
        scores: Tensor = self.head(torch.cat((product, features), dim=-1)).view(-1)
        return scores
