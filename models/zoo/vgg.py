"""VGG: K. Simonyan and A. Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR 2015."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

WIDTHS = (64, 128, 256, 512, 512)
"""Channels of the five groups of 3x3 convolutions; a 2x2 pooling ends each."""


def _features(depths: Sequence[int], *, normalised: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    inputs = 3
    for width, depth in zip(WIDTHS, depths, strict=True):
        for _ in range(depth):
            layers.append(nn.Conv2d(inputs, width, 3, padding=1))
            layers += [nn.BatchNorm2d(width)] if normalised else []
            layers.append(nn.ReLU(inplace=True))
            inputs = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


class VGG(nn.Module):
    """Convolutions, then a classifier of the flattened features."""

    def __init__(self, features: nn.Sequential, classifier: nn.Module) -> None:
        super().__init__()
        self.features, self.classifier = features, classifier

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores ``(batch, classes)`` of images ``(batch, 3, rows, columns)``."""
        scores: Tensor = self.classifier(self.features(x).flatten(1))
        return scores


def vgg16() -> VGG:
    """VGG-16 (configuration D) for ImageNet at 224."""
    classifier = nn.Sequential(
        nn.Linear(512 * 7 * 7, 4096), nn.ReLU(inplace=True), nn.Dropout(),
        nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(4096, 1000),
    )  # fmt: skip
    return VGG(_features((2, 2, 3, 3, 3), normalised=False), classifier)


def vgg19_small() -> VGG:
    """VGG-19 (configuration E) for CIFAR-10: batch norms, and one linear layer as the classifier."""
    return VGG(_features((2, 2, 4, 4, 4), normalised=True), nn.Linear(512, 10))
