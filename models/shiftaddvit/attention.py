"""Attention that is linear in the tokens and adds where others multiply."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hwsim.errors import InputError
from models.shiftaddvit.codes import CODES, Codes, KernelHash, MeanThreshold
from models.shiftaddvit.matadd import matadd
from models.shiftaddvit.watch import watch
from models.zoo.transformer import Attention


class PlainAttention(Attention):
    """Softmax attention of a pyramid's stage that does not shrink its keys."""

    def forward(self, x: Tensor, rows: int = 0) -> Tensor:
        """Map tokens ``(batch, tokens, width)`` to the same shape."""
        return super().forward(x)


class LinearAngularAttention(nn.Module):
    """``V / 2 + Q (K^T V) / pi``, each token scaled to length one, and a convolution of V over the tokens.

    The first two terms of the angle between query and key (H. You et al., Castling-ViT, CVPR 2023), with binary codes
    for Q and K: both products only add.

    Parameters
    ----------
    width, heads
        Channels, and the heads that share them.
    codes
        ``hash`` or ``mean``: what makes the codes, the same functions for Q and K.
    kernel
        Tokens that the depthwise convolution sees.

    Raises
    ------
    InputError
        If the heads do not divide the channels, or a parameter breaks its rule.
    """

    codes: KernelHash | MeanThreshold

    def __init__(self, width: int, heads: int, codes: Codes = "hash", *, kernel: int = 9) -> None:
        super().__init__()
        if width % heads:
            raise InputError(f"must divide by heads={heads}", field="width", value=width)
        if kernel % 2 == 0:
            raise InputError("must be odd", field="kernel", value=kernel)
        if codes not in CODES:
            raise InputError(f"must be one of {', '.join(CODES)}", field="codes", value=codes)
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.codes = KernelHash(heads, width // heads) if codes == "hash" else MeanThreshold()
        self.depthwise = nn.Conv2d(heads, heads, (kernel, 1), padding=(kernel // 2, 0), groups=heads, bias=False)

    def forward(self, x: Tensor, rows: int = 0) -> Tensor:
        """Map tokens ``(batch, tokens, width)`` to the same shape."""
        query, key, value = self.projections(x)
        query, key = self.codes(query), self.codes(key)
        y = value / 2 + matadd(query, matadd(key.mT, value)) / math.pi
        y = F.normalize(y, dim=-1) + self.depthwise(value)
        z: Tensor = self.out(y.transpose(1, 2).flatten(2))
        return z

    def projections(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values ``(batch, heads, tokens, channels)``; queries and keys of length one."""
        qkv = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return F.normalize(qkv[0], dim=-1), F.normalize(qkv[1], dim=-1), qkv[2]


def fit_codes(network: nn.Module, images: Tensor) -> None:
    """Fit every layer's hash functions to the queries and keys that one pass of ``images`` gives it.

    Layers are fitted in the order in which they run, each before it answers.
    """

    def fit(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        if isinstance(layer, LinearAngularAttention) and isinstance(layer.codes, KernelHash):
            query, key, _ = layer.projections(given[0])
            layer.codes.fit(torch.cat((query, key), dim=2).transpose(0, 1).flatten(1, 2))

    watch(network, images, fit)
