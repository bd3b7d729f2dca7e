"""Cycles of a mapped contraction: what works at the same time, and what waits.

Compute units and the ports of all memories work at the same time, so the slowest decides. Two things come on top: a
memory that is not double buffered stops what is inside it while it fills, and arrays fill and drain once per pass.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence

from hwsim.architecture.hierarchy import PORTS, ArrayNode, FreeDataflow, MemoryNode, Port
from hwsim.cost.moves import Move
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
        node.fill_cycles * _passes(found, memories, k) for k, node in enumerate(nodes) if isinstance(node, ArrayNode)
    )
    return together[bound] + turns + fills, bound


def port_cycles(found: Found, architecture: FreeDataflow, moves: Sequence[Sequence[Move]]) -> dict[int, float]:
    """Return the cycles that the ports of every memory are busy; ``moves`` are those of each node."""
    cycles = {}
    for k in found.hierarchy.memories:
        node = architecture.nodes[k]
        busy = [_busy(moves[k], found.hierarchy.memory(k).bits_per_cycle, PORTS)]
        if isinstance(node, MemoryNode):
            busy.append(_busy(moves[k], node.read_bits_per_cycle, PORTS, writes=False))
            busy.append(_busy(moves[k], node.write_bits_per_cycle, PORTS, reads=False))
            busy += [_busy(moves[k], bandwidth, (port,)) for port, bandwidth in node.port_bits_per_cycle.items()]
        cycles[k] = max(busy) / _instances(found, k)
    return cycles


def _busy(
    moves: Sequence[Move],
    bits_per_cycle: float | None,
    ports: Collection[Port],
    *,
    reads: bool = True,
    writes: bool = True,
) -> float:
    """Cycles to carry what some operands move, in one direction or both; none if nothing limits it."""
    if bits_per_cycle is None:
        return 0.0
    mine = (move for move in moves if move.port in ports)
    return math.fsum((reads * move.reads + writes * move.writes) * move.bits for move in mine) / bits_per_cycle


def _instances(found: Found, k: int) -> int:
    outside = (found.mapping.loops[j] for j in range(k) if j not in found.hierarchy.memories)
    return math.prod(size for loops in outside for _, size in loops)


def _passes(found: Found, memories: Sequence[int], array: int) -> int:
    return math.prod(size for k in memories if k < array for _, size in found.mapping.loops[k])
