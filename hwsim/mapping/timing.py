"""Cycles of a mapping: what works at the same time, and what waits.

Compute units and the ports of all memories work at the same time, so the slowest decides. Two things come on top: a
memory that is not double buffered stops what is inside it while it fills, and arrays take cycles of their own per
pass, that is per iteration of all loops outside.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from hwsim.mapping.hierarchy import Array, Hierarchy


def cycles_of(
    loops: Sequence[Sequence[tuple[str, int]]], hierarchy: Hierarchy, compute: float, ports: Mapping[int, float]
) -> tuple[float, str]:
    """Return all cycles, and what limits the part that overlaps: ``compute`` or the name of a memory.

    Parameters
    ----------
    loops
        Of every node, each as (dimension, trips).
    compute
        Cycles of the compute units.
    ports
        Cycles of the slowest port of each memory, by node.
    """
    awaited = hierarchy.awaited
    together = {"compute": compute} | {hierarchy.nodes[k].name: busy for k, busy in ports.items() if k not in awaited}
    bound = max(together, key=lambda name: together[name])
    turns = math.fsum(ports[k] for k in awaited)
    passes = math.fsum(
        node.pass_cycles * math.prod(size for outer in hierarchy.memories if outer < k for _, size in loops[outer])
        for k, node in enumerate(hierarchy.nodes)
        if isinstance(node, Array) and node.pass_cycles
    )
    return together[bound] + turns + passes, bound
