"""Vision transformers: A. Dosovitskiy et al., An Image is Worth 16x16 Words, ICLR 2021."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.zoo.transformer import Block


class VisionTransformer(nn.Module):
    """Patches, a class token, learned positions, pre-norm encoder blocks and a classifier.

    Parameters
    ----------
    size, patch
        Rows (= columns) of the image and of a patch.
    width, depth, heads
        Channels, number of blocks, attention heads.
    classes
        Outputs of the classifier.
    dropout
        Rate after attention and in the feed-forward networks.
    """

    def __init__(
        self, *, size: int, patch: int, width: int, depth: int, heads: int, classes: int = 1000, dropout: float = 0.0
    ) -> None:
        super().__init__()
        tokens = (size // patch) ** 2 + 1
        self.patches = nn.Conv2d(3, width, patch, stride=patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.empty(1, tokens, width).normal_(std=0.02))
        self.blocks = nn.Sequential(*(Block(width, heads, dropout=dropout) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores ``(batch, classes)`` of images ``(batch, 3, size, size)``."""
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.class_token.expand(len(x), -1, -1), x), dim=1) + self.positions
        scores: Tensor = self.head(self.norm(self.blocks(x))[:, 0])
        return scores


def vit_b_16() -> VisionTransformer:
    """ViT-B/16 for ImageNet at 224."""
    return VisionTransformer(size=224, patch=16, width=768, depth=12, heads=12)


def deit(width: int) -> VisionTransformer:
    """DeiT of 12 blocks with heads of 64 channels (T: 192, S: 384, B: 768): H. Touvron et al., ICML 2021."""
    return VisionTransformer(size=224, patch=16, width=width, depth=12, heads=width // 64)
