"""Networks in plain torch with exact published shapes, each with what its source says about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.zoo.resnet import resnet18, resnet50
from models.zoo.transformer import decoder_tiny, gpt2_small
from models.zoo.vit import vit_b_16

__all__ = ["ZOO", "Entry"]


@dataclass(frozen=True)
class Entry:
    """A network and its published numbers.

    Attributes
    ----------
    make
        Builds it, with random weights.
    input_shape
        Of one sample.
    tokens
        Known tokens, for networks that read those instead of numbers.
    parameters
        Number of trained values.
    macs
        Multiply-accumulates of one sample's forward pass, in convolutions and matrix products.
    source
        Where the two numbers come from.
    """

    make: Callable[[], nn.Module]
    input_shape: tuple[int, ...]
    parameters: int
    macs: int
    source: str
    tokens: int | None = None

    def inputs(self, batch: int) -> Tensor:
        """Return ``batch`` samples of zeros."""
        kind = torch.float32 if self.tokens is None else torch.int64
        return torch.zeros(batch, *self.input_shape, dtype=kind)


_IMAGE = (3, 224, 224)

ZOO: Mapping[str, Entry] = {
    "resnet18": Entry(
        resnet18, _IMAGE, 11_689_512, 1_814_073_344,
        "torchvision resnet18: 11 689 512 parameters, 1.81 G; He et al., table 1: 1.8 G",
    ),
    "resnet50": Entry(
        resnet50, _IMAGE, 25_557_032, 4_089_184_256,
        "torchvision resnet50: 25 557 032 parameters, 4.09 G",
    ),
    "vit_b_16": Entry(
        vit_b_16, _IMAGE, 86_567_656, 17_563_828_224,
        "torchvision vit_b_16: 86 567 656 parameters, 17.56 G",
    ),
    "gpt2_small": Entry(
        gpt2_small, (1024,), 124_439_808, 145_824_153_600,
        "openai-community/gpt2: 124 439 808 parameters; MACs by hand: 1024 * (tied embedding + 12 * 12 * width^2) "
        "in the layers and 12 * 2 * 1024^2 * width in attention",
        tokens=50257,
    ),
    "decoder_tiny": Entry(
        decoder_tiny, (16,), 29_184, 477_184, "sum over its layers, by hand", tokens=100,
    ),
}  # fmt: skip
