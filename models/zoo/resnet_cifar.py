"""Residual networks for CIFAR: K. He et al., Deep Residual Learning for Image Recognition, CVPR 2016, section 4.2.

Three stages of 16, 32 and 64 channels; shortcuts have no weights (option A): they drop every other row and column and
fill the new channels with zeros.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from hwsim.errors import InputError


class Block(nn.Module):
    """Two 3x3 convolutions beside the shortcut."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride, self.padding = stride, (width - inputs) // 2
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, inputs, rows, columns)`` to ``(batch, width, rows / stride, columns / stride)``."""
        y: Tensor = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.padding:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.padding, self.padding))
        return F.relu(y + x)


class CifarResNet(nn.Module):
    """A network of ``layers`` = 6n + 2 layers with weights."""

    def __init__(self, layers: int, classes: int = 10) -> None:
        super().__init__()
        if layers < 8 or layers % 6 != 2:
            raise InputError("must be 6n + 2 with n at least 1", field="layers", value=layers)
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.stages = nn.ModuleList()
        for stage, width in enumerate((16, 32, 64)):
            first = Block(width // 2 if stage else 16, width, stride=2 if stage else 1)
            rest = (Block(width, width, stride=1) for _ in range((layers - 2) // 6 - 1))
            self.stages.append(nn.Sequential(first, *rest))
        self.fc = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores ``(batch, classes)`` of images ``(batch, 3, 32, 32)``."""
        x = F.relu(self.bn1(self.conv1(x)))
        for stage in self.stages:
            x = stage(x)
        scores: Tensor = self.fc(x.mean(dim=(2, 3)))
        return scores
