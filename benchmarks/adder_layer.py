"""The adder layer's CPU kernels against broadcasts of all differences: ``python benchmarks/adder_layer.py``.

Both on one thread, in CPU seconds, on the 3x3 layer of 64 channels of ResNet-20 at batch 64. The forward kernel must be
at least ten times as fast.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from models.layers.adder_kernel import clipped_gradient, distances

POINTS, FILTERS, TERMS = 64 * 8 * 8, 64, 576
RATIO = 10.0


def broadcast_distances(x: Tensor, w: Tensor) -> Tensor:
    """Return the distances by one broadcast."""
    return (x[:, None] - w).abs().sum(-1)


def broadcast_gradient(gradient: Tensor, x: Tensor, w: Tensor) -> Tensor:
    """Return the gradient of the input by one broadcast."""
    return (gradient[..., None] * (w - x[:, None]).clamp(-1, 1)).sum(1)


def seconds(function: Callable[..., Tensor], *arguments: Tensor) -> float:
    """Return the least CPU seconds of three calls."""
    found = []
    for _ in range(3):
        start = time.process_time()
        function(*arguments)
        found.append(time.process_time() - start)
    return min(found)


def main() -> None:
    """Print a row per kernel."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    x, w, gradient = torch.randn(POINTS, TERMS), torch.randn(FILTERS, TERMS), torch.randn(POINTS, FILTERS)
    rows = {
        "distances": (distances, broadcast_distances, (x, w)),
        "input gradient": (clipped_gradient, broadcast_gradient, (gradient, x, w)),
    }
    ratios = {}
    for name, (blocked, broadcast, arguments) in rows.items():
        torch.testing.assert_close(blocked(*arguments), broadcast(*arguments), rtol=1e-4, atol=1e-2)
        ours, theirs = seconds(blocked, *arguments), seconds(broadcast, *arguments)
        ratios[name] = theirs / ours
        print(f"{name:15} {ours:.3f} s, broadcast {theirs:.3f} s: {ratios[name]:.1f} times")
    assert ratios["distances"] >= RATIO


if __name__ == "__main__":
    main()
