"""MobileNetV2: M. Sandler et al., Inverted Residuals and Linear Bottlenecks, CVPR 2018."""

from __future__ import annotations

from torch import Tensor, nn

STAGES = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip
"""Expansion, channels, blocks and first stride: table 2 of the paper."""


def _layer(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU6(inplace=True))


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow without activation; a shortcut where the shape stays."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inputs * expansion
        self.shortcut = stride == 1 and inputs == outputs
        self.expand = _layer(inputs, width, 1) if expansion > 1 else nn.Identity()
        self.depthwise = _layer(width, width, 3, stride, groups=width)
        self.project = nn.Sequential(nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, inputs, rows, columns)`` to ``(batch, outputs, rows / stride, columns / stride)``."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.shortcut else y


class MobileNetV2(nn.Module):
    """The network of width 1."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        layers: list[nn.Module] = [_layer(3, 32, 3, stride=2)]
        inputs = 32
        for expansion, width, blocks, stride in STAGES:
            for index in range(blocks):
                layers.append(InvertedResidual(inputs, width, 1 if index else stride, expansion))
                inputs = width
        layers.append(_layer(inputs, 1280, 1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes))

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores ``(batch, classes)`` of images ``(batch, 3, rows, columns)``."""
        scores: Tensor = self.classifier(self.features(x).mean(dim=(2, 3)))
        return scores
