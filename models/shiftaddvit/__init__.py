"""H. You et al., ShiftAddViT: Mixture of Multiplication Primitives Towards Efficient Vision Transformer, 2023."""

from models.shiftaddvit.attention import LinearAngularAttention, fit_codes
from models.shiftaddvit.balance import balance_loss, simulate_latencies
from models.shiftaddvit.mixture import Mixture, set_shares
from models.shiftaddvit.reparametrise import reparametrise

__all__ = [
    "LinearAngularAttention", "Mixture", "balance_loss", "fit_codes", "reparametrise", "set_shares",
    "simulate_latencies",
]  # fmt: skip
