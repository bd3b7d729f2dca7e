"""The chip and the layers that every peer maps: one set of sizes and unit energies.

Sizes of the memories are those of Eyeriss (Chen et al., JSSC 2017), with a 16 x 16 array that spreads output channels
over one axis and input channels over the other; unit energies are round numbers in its ratios. Words have 16 bits
everywhere. Only the standard library is imported, so that every peer's Python can read this.
"""

from __future__ import annotations

from typing import NamedTuple

WORD_BITS = 16
DRAM_PJ, BUFFER_PJ, REGISTER_PJ, MAC_PJ = 200.0, 6.0, 1.0, 1.0
BUFFER_BITS = 108 * 1024 * 8
REGISTER_WORDS = {"input": 12, "weight": 224, "output": 24}
ROWS = COLUMNS = 16


class Layer(NamedTuple):
    """A convolution of one image; a fully connected layer is one of a single pixel."""

    name: str
    out_channels: int
    in_channels: int
    size: int
    kernel: int
    stride: int
    padding: int

    @property
    def out_size(self) -> int:
        """Rows and columns of the result."""
        return (self.size + 2 * self.padding - self.kernel) // self.stride + 1

    @property
    def spread(self) -> tuple[int, int]:
        """Largest divisors of output and input channels that the array can spread."""
        return _divisor(self.out_channels, COLUMNS), _divisor(self.in_channels, ROWS)


def _divisor(number: int, limit: int) -> int:
    return max(factor for factor in range(1, limit + 1) if number % factor == 0)


RESNET18 = (
    Layer("conv1", 64, 3, 224, 7, 2, 3),
    Layer("layer1 3x3", 64, 64, 56, 3, 1, 1),
    Layer("layer2.0 3x3", 128, 64, 56, 3, 2, 1),
    Layer("layer2.0 1x1", 128, 64, 56, 1, 2, 0),
    Layer("layer2 3x3", 128, 128, 28, 3, 1, 1),
    Layer("layer3.0 3x3", 256, 128, 28, 3, 2, 1),
    Layer("layer3.0 1x1", 256, 128, 28, 1, 2, 0),
    Layer("layer3 3x3", 256, 256, 14, 3, 1, 1),
    Layer("layer4.0 3x3", 512, 256, 14, 3, 2, 1),
    Layer("layer4.0 1x1", 512, 256, 14, 1, 2, 0),
    Layer("layer4 3x3", 512, 512, 7, 3, 1, 1),
    Layer("fc", 1000, 512, 1, 1, 1, 0),
)
"""The distinct layers of ResNet-18 (He et al., CVPR 2016)."""
