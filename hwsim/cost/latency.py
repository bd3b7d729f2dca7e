"""Cycles for which the ports of memories are busy with what moves, after zeros, stored formats and bursts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hwsim.architecture.nodes import PORTS
from hwsim.cost.moves import Move
from hwsim.mapping.hierarchy import Port
from hwsim.mapping.search import Found


def port_cycles(found: Found, moves: Sequence[Sequence[Move]]) -> dict[int, float]:
    """Return the cycles that the slowest port of every memory is busy; ``moves`` are those of each node."""
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
