"""ResNet-20 of the paper: projections in the shortcuts, and a 1x1 convolution with a batch norm as the classifier."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from models.shiftaddnet.kinds import Kind, layer


class Block(nn.Module):
    """Two 3x3 layers beside the shortcut, which is a 1x1 layer where the shape changes."""

    def __init__(self, kind: Kind, inputs: int, width: int, stride: int, **options: Any) -> None:
        super().__init__()
        self.conv1 = layer(kind, inputs, width, 3, stride, 1, **options)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = layer(kind, width, width, 3, 1, 1, **options)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != width:
            self.shortcut = nn.Sequential(layer(kind, inputs, width, 1, stride, **options), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, inputs, rows, columns)`` to ``(batch, width, rows / stride, columns / stride)``."""
        y: Tensor = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.shortcut(x))


class ShiftAddResNet(nn.Module):
    """A residual network for images of 32x32 pixels.

    Parameters
    ----------
    kind
        What its layers are.
    blocks
        Per stage; 3 make the 20 layers.
    widths
        Channels of the stages.
    options
        Of the layers: ``quantise``, ``bits``, ``pruned`` and ``switched`` of `layer`.
    """

    def __init__(
        self, kind: Kind = "shiftadd", *, blocks: int = 3, widths: tuple[int, ...] = (16, 32, 64), inputs: int = 3,
        classes: int = 10, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        self.conv1 = layer(kind, inputs, widths[0], 3, 1, 1, edge=True, **options)
        self.bn1 = nn.BatchNorm2d(widths[0])
        stages, before = [], widths[0]
        for stage, width in enumerate(widths):
            own = []
            for block in range(blocks):
                own.append(Block(kind, before, width, 2 if stage and not block else 1, **options))
                before = width
            stages.append(nn.Sequential(*own))
        self.stages = nn.Sequential(*stages)
        self.fc = layer(kind, before, classes, 1, edge=True, **options)
        self.bn2 = nn.BatchNorm2d(classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores ``(batch, classes)`` of images ``(batch, inputs, rows, columns)``."""
        x = self.stages(F.relu(self.bn1(self.conv1(x))))
        scores: Tensor = self.bn2(self.fc(F.adaptive_avg_pool2d(x, 1)))
        return scores.flatten(1)


def resnet20(kind: Kind = "shiftadd", classes: int = 10, **options: Any) -> ShiftAddResNet:
    """Return ResNet-20 for CIFAR."""
    return ShiftAddResNet(kind, classes=classes, **options)
