"""CPU time to fuse training steps over that of scoring them apart: ``fuse_networks.py [NETWORK[:BATCH] ...]``.

Both start without any mapping in memory or on disk. What fusion saves is printed beside the ratios.
"""

from __future__ import annotations

import sys
import time

from benchmarks.map_networks import step
from hwsim import Workload, score
from hwsim.cost.result import Result
from hwsim.mapping.cache import disabled
from hwsim.mapping.search import optimum

NETWORKS = ("resnet50:1", "resnet50:32", "mobilenet_v2:2", "gpt2_small:1")
ARCHITECTURES = ("free-dataflow-45nm", "ethos-u55-256-like", "nvdla-small-like")


def timed(work: Workload, on: str, *, fuse: bool) -> tuple[float, Result]:
    """CPU seconds of scoring ``work``, and the result."""
    optimum.cache_clear()
    start = time.process_time()
    with disabled():
        result = score(work, on, fuse=fuse)
    return time.process_time() - start, result


def main(names: list[str]) -> None:
    """Score every network apart and fused on every architecture."""
    for name in names or NETWORKS:
        network, _, batch = name.partition(":")
        work = step(network, int(batch or 1))
        for on in ARCHITECTURES:
            (apart_s, apart), (fused_s, fused) = (timed(work, on, fuse=fuse) for fuse in (False, True))
            print(
                f"{name:16} {on:20} apart {apart_s:6.2f} s, fused {fused_s:6.2f} s ({fused_s / apart_s:.2f}); "
                f"energy {fused.energy_j / apart.energy_j:.3f}, latency {fused.latency_s / apart.latency_s:.3f}, "
                f"DRAM bytes {fused.dram_bytes / apart.dram_bytes:.3f}", flush=True,
            )  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
