"""Pyramid vision transformers: W. Wang et al., PVT v2: Improved Baselines with Pyramid Vision Transformer, 2022."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

HEADS, EXPANSIONS, REDUCTIONS = (1, 2, 5, 8), (8, 8, 4, 4), (8, 4, 2, 1)
"""Of the four stages: attention heads, widening of the feed-forward networks, shrinking of keys and values per axis."""


class PooledAttention(nn.Module):
    """Attention whose keys and values come from a map that a strided convolution has shrunk."""

    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.heads, self.reduction = heads, reduction
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        if reduction > 1:
            self.shrink = nn.Conv2d(width, width, reduction, stride=reduction)
            self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, rows: int) -> Tensor:
        """Map tokens ``(batch, tokens, width)`` of a map with ``rows`` rows to the same shape."""
        batch, tokens, width = x.shape
        query = self.query(x).view(batch, tokens, self.heads, -1).transpose(1, 2)
        if self.reduction > 1:
            small = self.shrink(x.transpose(1, 2).reshape(batch, width, rows, tokens // rows))
            x = self.norm(small.flatten(2).transpose(1, 2))
        key, value = self.key_value(x).view(batch, -1, 2, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(batch, tokens, width)
        z: Tensor = self.out(y)
        return z


class ConvolutionalFeedForward(nn.Module):
    """A feed-forward network with a depthwise 3x3 convolution before its activation."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.depthwise = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor, rows: int) -> Tensor:
        """Map tokens ``(batch, tokens, width)`` of a map with ``rows`` rows to the same shape."""
        y = self.fc1(x).transpose(1, 2)
        y = self.depthwise(y.reshape(*y.shape[:2], rows, -1)).flatten(2).transpose(1, 2)
        z: Tensor = self.fc2(F.gelu(y))
        return z


class Block(nn.Module):
    """Attention and a feed-forward network, each behind a norm and beside a shortcut."""

    def __init__(self, width: int, heads: int, expansion: int, reduction: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attention = PooledAttention(width, heads, reduction)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = ConvolutionalFeedForward(width, expansion * width)

    def forward(self, x: Tensor, rows: int) -> Tensor:
        """Map tokens ``(batch, tokens, width)`` of a map with ``rows`` rows to the same shape."""
        x = x + self.attention(self.norm1(x), rows)
        y: Tensor = x + self.mlp(self.norm2(x), rows)
        return y


class Stage(nn.Module):
    """Overlapping patches, blocks, a norm."""

    def __init__(self, index: int, inputs: int, width: int, depth: int) -> None:
        super().__init__()
        kernel, stride = (3, 2) if index else (7, 4)
        self.patches = nn.Conv2d(inputs, width, kernel, stride, padding=kernel // 2)
        self.patch_norm = nn.LayerNorm(width)
        sizes = (HEADS[index], EXPANSIONS[index], REDUCTIONS[index])
        self.blocks = nn.ModuleList(Block(width, *sizes) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, inputs, rows, columns)`` to ``(batch, width, rows / stride, columns / stride)``."""
        x = self.patches(x)
        rows = x.shape[2]
        x = self.patch_norm(x.flatten(2).transpose(1, 2))
        for block in self.blocks:
            x = block(x, rows)
        y: Tensor = self.norm(x).transpose(1, 2)
        return y.reshape(*y.shape[:2], rows, -1)


class PVTv2(nn.Module):
    """Four stages and a classifier.

    Parameters
    ----------
    widths, depths
        Channels and blocks of the stages.
    classes
        Outputs of the classifier.
    """

    def __init__(self, widths: Sequence[int], depths: Sequence[int], classes: int = 1000) -> None:
        super().__init__()
        inputs = (3, *widths[:-1])
        self.stages = nn.Sequential(
            *(Stage(i, *sizes) for i, sizes in enumerate(zip(inputs, widths, depths, strict=True)))
        )
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores ``(batch, classes)`` of images ``(batch, 3, rows, columns)``."""
        scores: Tensor = self.head(self.stages(x).mean(dim=(2, 3)))
        return scores


def pvt_v2_b0() -> PVTv2:
    """PVTv2-B0 for ImageNet."""
    return PVTv2((32, 64, 160, 256), (2, 2, 2, 2))


def pvt_v2_b1() -> PVTv2:
    """PVTv2-B1 for ImageNet."""
    return PVTv2((64, 128, 320, 512), (2, 2, 2, 2))


def pvt_v2_b2() -> PVTv2:
    """PVTv2-B2 for ImageNet."""
    return PVTv2((64, 128, 320, 512), (3, 4, 6, 3))
