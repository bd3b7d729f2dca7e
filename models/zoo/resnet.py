"""Residual networks for ImageNet: K. He et al., Deep Residual Learning for Image Recognition, CVPR 2016.

The stride of a bottleneck is on its 3x3 convolution ("v1.5"), as in torchvision and in MLPerf.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)


class _Residual(nn.Module):
    """Adds a shortcut, projected where the shape changes, to what ``_branch`` computes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(_convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self._branch(x) + self.downsample(x))

    def _branch(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class BasicBlock(_Residual):
    """Two 3x3 convolutions."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__(inputs, width, stride)
        self.conv1 = _convolution(inputs, width, 3, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _convolution(width, width, 3)
        self.bn2 = nn.BatchNorm2d(width)

    def _branch(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        y: Tensor = self.bn2(self.conv2(x))
        return y


class Bottleneck(_Residual):
    """A 3x3 convolution between two 1x1 convolutions that narrow and widen by four."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__(inputs, 4 * width, stride)
        self.conv1 = _convolution(inputs, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _convolution(width, width, 3, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = _convolution(width, 4 * width, 1)
        self.bn3 = nn.BatchNorm2d(4 * width)

    def _branch(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        y: Tensor = self.bn3(self.conv3(x))
        return y


class ResNet(nn.Module):
    """Stem, four stages and a classifier.

    Parameters
    ----------
    block
        `BasicBlock` or `Bottleneck`.
    depths
        Blocks of the stages; each stage after the first halves the resolution and doubles the width.
    classes
        Outputs of the classifier.
    width
        Of the first stage.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        depths: Sequence[int],
        *,
        classes: int = 1000,
        width: int = 64,
    ) -> None:
        super().__init__()
        self.conv1 = _convolution(3, width, 7, stride=2)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.stages = nn.ModuleList()
        inputs = width
        for stage, depth in enumerate(depths):
            stage_width = width * 2**stage
            blocks = []
            for index in range(depth):
                blocks.append(block(inputs, stage_width, stride=2 if stage and not index else 1))
                inputs = stage_width * block.expansion
            self.stages.append(nn.Sequential(*blocks))
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores ``(batch, classes)`` of images ``(batch, 3, rows, columns)``."""
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        for stage in self.stages:
            x = stage(x)
        scores: Tensor = self.fc(x.mean(dim=(2, 3)))
        return scores


def resnet18() -> ResNet:
    """ResNet-18 for ImageNet."""
    return ResNet(BasicBlock, (2, 2, 2, 2))


def resnet50() -> ResNet:
    """ResNet-50 for ImageNet."""
    return ResNet(Bottleneck, (3, 4, 6, 3))
