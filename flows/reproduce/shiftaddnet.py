"""ShiftAddNet (NeurIPS 2020): counts and sizes."""

from __future__ import annotations

from torch import nn

from flows.reproduce.registry import Progress
from flows.reproduce.report import Figure, Reproduction, Section
from models.layers import AdderConv2d, ShiftConv2d
from models.shiftaddnet import resnet20


def reproduce(progress: Progress | None = None) -> Reproduction:
    """Compute every table of the paper that needs no training."""
    return Reproduction(
        name="shiftaddnet", title="ShiftAddNet: our numbers beside the paper's",
        source="H. You et al., ShiftAddNet: A Hardware-Inspired Deep Network, NeurIPS 2020.",
        sections=(_sizes(),),
    )  # fmt: skip


def _sizes() -> Section:
    convolutions, shiftadd = resnet20("conv"), resnet20("shiftadd")
    multiplied = _weights(convolutions, nn.Conv2d) * 4 / 2**20
    shifts, adders = _weights(shiftadd, ShiftConv2d) * 5 / 8 / 2**20, _weights(shiftadd, AdderConv2d) / 2**20
    return Section(
        title="Sizes of ResNet-20",
        text="Weights alone, shifts in 5 bits.",
        figures=(
            Figure(name="ConvNet, AdderNet", unit="MiB", printed=1.03, ours=multiplied),
            Figure(name="ShiftAddNet, FP32 adder weights", unit="MiB", printed=1.3, ours=shifts + 4 * adders),
            Figure(name="ShiftAddNet, 8-bit adder weights", unit="MiB", printed=0.4, ours=shifts + adders),
        ),
    )


def _weights(model: nn.Module, kind: type[nn.Conv2d | ShiftConv2d | AdderConv2d]) -> int:
    return sum(m.weight.numel() for m in model.modules() if isinstance(m, kind))
