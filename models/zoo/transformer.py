"""Pre-norm transformer blocks and a small decoder: A. Radford et al., GPT-2, 2019."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Multi-head self-attention.

    Parameters
    ----------
    width, heads
        Channels, and the heads that share them.
    causal
        Whether a token sees only itself and those before it.
    """

    def __init__(self, width: int, heads: int, *, causal: bool = False) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens ``(batch, tokens, width)`` to the same shape."""
        batch, tokens, width = x.shape
        qkv = self.qkv(x).view(batch, tokens, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        x = F.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        y: Tensor = self.out(x.transpose(1, 2).reshape(batch, tokens, width))
        return y


class Block(nn.Module):
    """Attention and a feed-forward network four times as wide, each behind a norm and beside a shortcut."""

    def __init__(self, width: int, heads: int, *, causal: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attention = Attention(width, heads, causal=causal)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens ``(batch, tokens, width)`` to the same shape."""
        x = x + self.dropout(self.attention(self.norm1(x)))
        y: Tensor = x + self.dropout(self.mlp(self.norm2(x)))
        return y


class Decoder(nn.Module):
    """A language model: embeddings, causal blocks, and scores for the next token from the tied embedding.

    Parameters
    ----------
    vocabulary, context
        Known tokens and positions.
    width, depth, heads
        Channels, number of blocks, attention heads.
    dropout
        Rate after the embedding, after attention and in the feed-forward networks.
    """

    def __init__(
        self, *, vocabulary: int, context: int, width: int, depth: int, heads: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(context, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.Sequential(*(Block(width, heads, causal=True, dropout=dropout) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return scores ``(batch, tokens, vocabulary)`` after each of the given tokens ``(batch, tokens)``."""
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.dropout(self.tokens(tokens) + self.positions(positions))
        return F.linear(self.norm(self.blocks(x)), self.tokens.weight)


def gpt2_small() -> Decoder:
    """GPT-2 small."""
    return Decoder(vocabulary=50257, context=1024, width=768, depth=12, heads=12)


def decoder_tiny() -> Decoder:
    """Two blocks of 32 channels, for tests."""
    return Decoder(vocabulary=100, context=16, width=32, depth=2, heads=4, dropout=0.1)
