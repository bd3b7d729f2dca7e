"""VGG19-small of the paper: configuration E for CIFAR, with a 1x1 convolution and a batch norm as the classifier.

Unlike ResNet-20's, its first convolution has an adder layer behind it: the paper's 490.7 million additions say so.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from models.shiftaddnet.kinds import Kind, layer

CONFIGURATION_E = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
"""Channels and depth of each group of 3x3 layers; a 2x2 pooling ends it."""


class ShiftAddVGG(nn.Module):
    """Groups of 3x3 layers with batch norms, each ended by a pooling.

    Parameters
    ----------
    kind
        What its layers are.
    groups
        Channels and depth of each group.
    options
        Of the layers: ``quantise``, ``bits``, ``pruned`` and ``switched`` of `layer`.
    """

    def __init__(
        self, kind: Kind = "shiftadd", *, groups: tuple[tuple[int, int], ...] = CONFIGURATION_E, inputs: int = 3,
        classes: int = 10, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        features: list[nn.Module] = []
        before = inputs
        for width, depth in groups:
            for _ in range(depth):
                first = not features and kind == "adder"  # AdderNet keeps its first convolution
                own = layer(kind, before, width, 3, 1, 1, edge=first, **options)
                features += [own, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
                before = width
            features.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*features)
        self.fc = layer(kind, before, classes, 1, edge=True, **options)
        self.bn = nn.BatchNorm2d(classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores ``(batch, classes)`` of images ``(batch, inputs, rows, columns)``."""
        scores: Tensor = self.bn(self.fc(F.adaptive_avg_pool2d(self.features(x), 1)))
        return scores.flatten(1)


def vgg19_small(kind: Kind = "shiftadd", classes: int = 10, **options: Any) -> ShiftAddVGG:
    """Return VGG19-small for CIFAR."""
    return ShiftAddVGG(kind, classes=classes, **options)
