"""ShiftAddNet and its baselines: H. You et al., ShiftAddNet: A Hardware-Inspired Deep Network, NeurIPS 2020."""

from models.shiftaddnet.kinds import KINDS, Kind, layer
from models.shiftaddnet.resnet import ShiftAddResNet, resnet20
from models.shiftaddnet.vgg import ShiftAddVGG, vgg19_small

__all__ = ["KINDS", "Kind", "ShiftAddResNet", "ShiftAddVGG", "layer", "resnet20", "vgg19_small"]
