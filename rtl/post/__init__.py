"""What becomes of sums: requantisation, clipping, residual addition; and pooling."""

from rtl.post.pool import Pool
from rtl.post.processor import PostProcessor

__all__ = ["Pool", "PostProcessor"]
