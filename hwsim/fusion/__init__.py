"""Layer fusion: chains of operators that run depth first, tile by tile, so that what they pass on stays on chip."""

from hwsim.fusion.pricing import Pricing
from hwsim.fusion.schedule import Segment, fuse_step, fused_costs

__all__ = ["Pricing", "Segment", "fuse_step", "fused_costs"]
