"""Exact L1 kernels for the CPU: sums over all pairs of a row of ``x`` and a row of ``w``, in blocks that stay in cache.

A broadcast of ``(points, filters, terms)`` runs at the speed of memory and needs gigabytes. Here a block of it has at
most `BLOCK` elements and is used three times before the next one takes its place. Blocks that small are not worth
sharing between threads: what PyTorch loses in waiting for them is more than it gains.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

BLOCK = 1 << 18
"""Elements of a block: one mebibyte of float32."""


def distances(x: Tensor, w: Tensor) -> Tensor:
    """Return ``sum over k of |x[p, k] - w[m, k]|``, of shape ``(points, filters)``."""
    out = x.new_empty(len(x), len(w))
    with one_thread():
        for points, filters, block in _blocks(x, w):
            torch.sub(x[points, None], w[filters], out=block).abs_()
            torch.sum(block, -1, out=out[points, filters])
    return out


def clipped_gradient(gradient: Tensor, x: Tensor, w: Tensor) -> Tensor:
    """Return ``sum over m of gradient[p, m] * clip(w[m, k] - x[p, k], -1, 1)``, of the shape of ``x``."""
    out = torch.zeros_like(x)
    with one_thread():
        for points, filters, block in _blocks(x, w):
            torch.sub(w[filters], x[points, None], out=block).clamp_(-1, 1)
            out[points, None].baddbmm_(gradient[points, None, filters], block)
    return out


def _blocks(x: Tensor, w: Tensor) -> Iterator[tuple[slice, slice, Tensor]]:
    """Points, filters and an uninitialised block ``(points, filters, terms)`` of a buffer that all blocks share."""
    terms = x.shape[1]
    filters = min(len(w), max(1, BLOCK // terms))
    points = max(1, BLOCK // (terms * filters))
    buffer = x.new_empty(points * filters * terms)
    for point in range(0, len(x), points):
        height = min(points, len(x) - point)
        for first in range(0, len(w), filters):
            width = min(filters, len(w) - first)
            block = buffer[: height * width * terms].view(height, width, terms)
            yield slice(point, point + height), slice(first, first + width), block


@contextmanager
def one_thread() -> Iterator[None]:
    """Run PyTorch's operators on the calling thread alone."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
