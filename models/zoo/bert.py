"""BERT: J. Devlin et al., Pre-training of Deep Bidirectional Transformers for Language Understanding, NAACL 2019."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.zoo.transformer import Attention


class Block(nn.Module):
    """Attention and a feed-forward network, each beside a shortcut and before a norm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = Attention(width, heads)
        self.norm1 = nn.LayerNorm(width, eps=1e-12)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.norm2 = nn.LayerNorm(width, eps=1e-12)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens ``(batch, tokens, width)`` to the same shape."""
        x = self.norm1(x + self.dropout(self.attention(x)))
        y: Tensor = self.norm2(x + self.dropout(self.mlp(x)))
        return y


class Bert(nn.Module):
    """The encoder with its pooler, without the heads of pre-training.

    Parameters
    ----------
    width, depth, heads
        Channels, number of blocks, attention heads.
    vocabulary, context
        Known tokens and positions.
    """

    def __init__(
        self, *, width: int, depth: int, heads: int, vocabulary: int = 30522, context: int = 512
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(context, width)
        self.segments = nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.dropout = nn.Dropout(0.1)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.pooler = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the pooled first token ``(batch, width)`` of one segment of tokens ``(batch, tokens)``."""
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.tokens(tokens) + self.positions(positions) + self.segments(torch.zeros_like(positions))
        x = self.blocks(self.dropout(self.norm(x)))
        return F.tanh(self.pooler(x[:, 0]))


def bert_large() -> Bert:
    """BERT-large, uncased."""
    return Bert(width=1024, depth=24, heads=16)
