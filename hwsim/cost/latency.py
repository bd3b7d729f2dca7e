"""Cycles of a mapped contraction: what works at the same time, and what waits.

Compute units and the ports of all memories work at the same time, so the slowest decides. Two things come on top: a
memory that is not double buffered stops what is inside it while it fills, and arrays fill and drain once per pass.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from hwsim.architecture import FreeDataflow
from hwsim.architecture.nodes import PORTS, ArrayNode, MemoryNode
from hwsim.cost.moves import Move
from hwsim.mapping.hierarchy import Port
from hwsim.mapping.search import Found


def cycles_of(
    found: Found, architecture: FreeDataflow, compute: float, ports: Mapping[int, float]
) -> tuple[float, str]:
    """Return all cycles, and what limits the part that overlaps.

    Parameters
    ----------
    compute
        Cycles of the compute units.
    ports
        Cycles of the port of each memory, by node.
    """
    nodes = architecture.nodes
    memories = [k for k, node in enumerate(nodes) if isinstance(node, MemoryNode)]
    waits = {
        outer for outer, inner in itertools.pairwise(memories)
        if isinstance(node := nodes[inner], MemoryNode) and not node.double_buffered
    }  # fmt: skip
    together = {"compute": compute} | {found.hierarchy.nodes[k].name: ports[k] for k in memories if k not in waits}
    bound = max(together, key=lambda name: together[name])
    turns = math.fsum(ports[k] for k in waits)
    fills = math.fsum(
        node.pass_cycles * _passes(found, memories, k) for k, node in enumerate(nodes) if isinstance(node, ArrayNode)
    )
    return together[bound] + turns + fills, bound


def port_cycles(found: Found, moves: Sequence[Sequence[Move]]) -> dict[int, float]:
    """Return the cycles that the ports of every memory are busy; ``moves`` are those of each node."""
    return {
        k: max((_busy(moves[k], port) for port in found.hierarchy.memory(k).ports), default=0.0) / _instances(found, k)
        for k in found.hierarchy.memories
    }


def _busy(moves: Sequence[Move], port: Port) -> float:
    """Cycles to carry what passes a port."""
    passing = ((move, PORTS.index(move.port)) for move in moves)
    bits = math.fsum((port.reads[i] * move.reads + port.writes[i] * move.writes) * move.bits for move, i in passing)
    return bits / port.bits_per_cycle


def _instances(found: Found, k: int) -> int:
    outside = (found.mapping.loops[j] for j in range(k) if j not in found.hierarchy.memories)
    return math.prod(size for loops in outside for _, size in loops)


def _passes(found: Found, memories: Sequence[int], array: int) -> int:
    return math.prod(size for k in memories if k < array for _, size in found.mapping.loops[k])
