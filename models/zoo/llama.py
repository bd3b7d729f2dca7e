"""Llama: H. Touvron et al., LLaMA: Open and Efficient Foundation Language Models, 2023.

Pre-norm with root mean squares, rotary positions, gated feed-forward networks, no biases.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def rotations(tokens: Tensor, width: int, base: float = 10000.0) -> Tensor:
    """Return cosine and sine ``(2, tokens, width)`` of every position and channel of a head."""
    places = torch.arange(tokens.shape[1], device=tokens.device)
    frequencies = base ** -(torch.arange(0, width, 2, device=tokens.device) / width)
    angles = torch.outer(places, frequencies).repeat(1, 2)
    return torch.stack((angles.cos(), angles.sin()))


def rotate(x: Tensor, turn: Tensor) -> Tensor:
    """Turn the pairs of channels (first and second half) of ``(batch, heads, tokens, width)`` by their position."""
    first, second = x.chunk(2, dim=-1)
    return x * turn[0] + torch.cat((-second, first), dim=-1) * turn[1]


class Attention(nn.Module):
    """Causal self-attention; ``key_heads`` fewer than ``heads`` are shared by groups of query heads."""

    def __init__(self, width: int, heads: int, key_heads: int) -> None:
        super().__init__()
        self.head_width = width // heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, key_heads * self.head_width, bias=False)
        self.value = nn.Linear(width, key_heads * self.head_width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.shared = key_heads != heads

    def forward(self, x: Tensor, turn: Tensor) -> Tensor:
        """Map tokens ``(batch, tokens, width)`` to the same shape."""
        query, key, value = (
            layer(x).unflatten(-1, (-1, self.head_width)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        y = F.scaled_dot_product_attention(
            rotate(query, turn), rotate(key, turn), value, is_causal=True, enable_gqa=self.shared
        )
        z: Tensor = self.out(y.transpose(1, 2).flatten(2))
        return z


class FeedForward(nn.Module):
    """``down(silu(gate(x)) * up(x))``."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, hidden, bias=False)
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens ``(batch, tokens, width)`` to the same shape."""
        y: Tensor = self.down(F.silu(self.gate(x)) * self.up(x))
        return y


class Block(nn.Module):
    """Attention and a feed-forward network, each behind a norm and beside a shortcut."""

    def __init__(self, width: int, heads: int, key_heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = nn.RMSNorm(width, eps=1e-5)
        self.attention = Attention(width, heads, key_heads)
        self.norm2 = nn.RMSNorm(width, eps=1e-5)
        self.mlp = FeedForward(width, hidden)

    def forward(self, x: Tensor, turn: Tensor) -> Tensor:
        """Map tokens ``(batch, tokens, width)`` to the same shape."""
        x = x + self.attention(self.norm1(x), turn)
        y: Tensor = x + self.mlp(self.norm2(x))
        return y


class Llama(nn.Module):
    """A language model; its output layer is not tied to the embedding.

    Parameters
    ----------
    vocabulary
        Known tokens.
    width, depth, heads, key_heads
        Channels, number of blocks, attention heads, heads of keys and values.
    hidden
        Channels inside the feed-forward networks.
    """

    def __init__(self, *, vocabulary: int, width: int, depth: int, heads: int, key_heads: int, hidden: int) -> None:
        super().__init__()
        self.head_width = width // heads
        self.tokens = nn.Embedding(vocabulary, width)
        self.blocks = nn.ModuleList(Block(width, heads, key_heads, hidden) for _ in range(depth))
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return scores ``(batch, tokens, vocabulary)`` after each of the given tokens ``(batch, tokens)``."""
        turn = rotations(tokens, self.head_width)
        x = self.tokens(tokens)
        for block in self.blocks:
            x = block(x, turn)
        scores: Tensor = self.head(self.norm(x))
        return scores


def llama_7b() -> Llama:
    """Llama 7B (the same shape as Llama 2 7B)."""
    return Llama(vocabulary=32000, width=4096, depth=32, heads=32, key_heads=32, hidden=11008)
