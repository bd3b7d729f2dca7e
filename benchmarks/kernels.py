"""Packed kernels against PyTorch's product in fp32: ``python benchmarks/kernels.py``.

One thread, least time of three rounds in turn, in the shape of ShiftAddViT's first layers. Packed MatShift and MatAdd
must be at least as fast. Without TVM there is nothing to compare.
"""

from __future__ import annotations

import importlib.util

from flows.kernels.kernel import Shape
from flows.kernels.measure import BASELINE, measure
from flows.kernels.registry import find

SHAPE = Shape(m=3136, k=64, n=512)
PACKED = ("matshift", "matadd", "matadd-signed")
RATIO = 1.0


def main() -> None:
    """Print ratios, and fail if one is too small."""
    found = {timing.kernel: timing for timing in measure([find(name) for name in PACKED], SHAPE).timings}
    base_s = found[BASELINE].best_s
    for name in PACKED:
        time_s = found[name].best_s
        assert base_s is not None
        assert time_s is not None, found[name].detail
        print(f"{name} {SHAPE}: {base_s / time_s:.2f} times as fast as {BASELINE}")
        assert base_s / time_s >= RATIO


if __name__ == "__main__":
    if importlib.util.find_spec("tvm"):
        main()
    else:
        print("TVM is not installed: nothing compared")
