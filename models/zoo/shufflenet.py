"""ShuffleNetV2 for 32 x 32 images: N. Ma et al., ShuffleNet V2, ECCV 2018, without its first pooling and strides."""

from __future__ import annotations

import torch
from torch import Tensor, nn

STAGES = ((116, 4), (232, 8), (464, 4))
"""Channels and blocks of width 1: table 5 of the paper."""


def _pointwise(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def _depthwise(width: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(width, width, 3, stride, padding=1, groups=width), nn.BatchNorm2d(width)]


class Unit(nn.Module):
    """Half of the channels pass; the others are filtered; then channels of both halves alternate.

    With a stride, both halves are filtered, each from all channels.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        half = outputs // 2
        self.split = stride == 1
        read = half if self.split else inputs
        self.filtered = nn.Sequential(
            *_pointwise(read, read), *_depthwise(read, stride), *_pointwise(read, half)
        )
        passing = [] if self.split else [*_depthwise(inputs, stride), *_pointwise(inputs, half)]
        self.passed = nn.Sequential(*passing)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, inputs, rows, columns)`` to ``(batch, outputs, rows / stride, columns / stride)``."""
        passed, filtered = torch.chunk(x, 2, dim=1) if self.split else (x, x)
        y = torch.cat((self.passed(passed), self.filtered(filtered)), dim=1)
        batch, channels, rows, columns = y.shape
        return y.view(batch, 2, channels // 2, rows, columns).transpose(1, 2).reshape(batch, channels, rows, columns)


class ShuffleNetV2(nn.Module):
    """The network of width 1 for small images."""

    def __init__(self, classes: int = 100) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, 24, 3, padding=1), nn.BatchNorm2d(24)]
        inputs = 24
        for width, blocks in STAGES:
            for index in range(blocks):
                layers.append(Unit(inputs, width, 1 if index else 2))
                inputs = width
        layers += _pointwise(inputs, 1024)
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(1024, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores ``(batch, classes)`` of images ``(batch, 3, rows, columns)``."""
        scores: Tensor = self.classifier(self.features(x).mean(dim=(2, 3)))
        return scores
