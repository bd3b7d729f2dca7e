"""Words that a mapped contraction moves at every node, after zeros, stored formats and bursts.

The mapping was found for dense operands and single words; what is done here prices that mapping and does not change it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from hwsim.architecture.hierarchy import PORTS, FreeDataflow, MemoryNode, Port
from hwsim.cost.density import compressed_bits, skipped_time
from hwsim.mapping.mapping import Traffic, caused_by_compute
from hwsim.mapping.problem import RESULT
from hwsim.mapping.search import Found
from hwsim.workload.operator import Operand, Operator

BALANCED = frozenset({"channel", "block"})
"""Structures whose zeros are known beforehand, so that units get equal shares of the rest."""


@dataclass(frozen=True)
class Move:
    """What one operand moves at one node."""

    port: Port
    operand: str
    reads: float
    """Words that cost energy."""
    writes: float
    timed: float
    """Words that take time, in both directions."""
    bits: float
    """Mean width of a word as it is stored."""


@dataclass(frozen=True)
class Activity:
    """Shares of the points and accesses of a dense contraction that are left after zeros."""

    computed: float
    """Points that cost energy."""
    time: float
    """Compute cycles."""
    accesses: tuple[float, float, float]
    """Accesses by the compute unit that cost energy, per port."""
    timed: tuple[float, float, float]
    """Accesses by the compute unit that take time, per port."""


def activity_of(found: Found, architecture: FreeDataflow, operator: Operator) -> Activity:
    """Return what gating and skipping leave, as the architecture declares them."""
    zeros = architecture.zeros
    operands = _operands(found, operator)
    density = {port: operand.density for port, operand in zip(PORTS, operands, strict=True)}
    skipped = math.prod(density[port] for port in zeros.skips)
    left, accesses = skipped, dict.fromkeys(PORTS, 1.0)
    for port in zeros.gating:
        accesses[port] = left
        left *= density[port]
    for port in PORTS:
        if port not in {*zeros.skips, *zeros.gating}:
            accesses[port] = left
    timed = (1.0 if port in zeros.skips else skipped for port in PORTS)
    first, second, third = timed
    return Activity(
        left, _time(found, architecture, operands, skipped), (accesses["input"], accesses["weight"], accesses["output"]),
        (first, second, third),
    )  # fmt: skip


def _operands(found: Found, operator: Operator) -> list[Operand]:
    return [operator.operand(name) for name in found.problem.operands]


def _time(found: Found, architecture: FreeDataflow, operands: list[Operand], density: float) -> float:
    skipping = architecture.zeros.skipping
    if skipping is None or density == 1:
        return 1.0
    ports = [PORTS.index(port) for port in skipping.ports]
    if all(operands[port].density_structure in BALANCED for port in ports if operands[port].density < 1):
        return density
    problem, hierarchy = found.problem, found.hierarchy
    selects = problem.relevant[ports].any(axis=0)
    spatial = [loop for k, loops in enumerate(found.mapping.loops) if k not in hierarchy.memories for loop in loops]
    lanes = math.prod(size for name, size in spatial if selects[problem.names.index(name)])
    points = problem.points // math.prod(size for _, size in spatial)
    return skipped_time(density, lanes, min(skipping.window, points))


def moves_at(k: int, found: Found, architecture: FreeDataflow, operator: Operator, bits: tuple[int, int, int],
             activity: Activity) -> Iterator[Move]:  # fmt: skip
    """Yield what moves at node ``k``, where words are ``bits`` wide before they are compressed."""
    by_compute = caused_by_compute(found.mapping, found.problem, found.hierarchy)[k]
    for position, (port, operand) in enumerate(zip(PORTS, _operands(found, operator), strict=True)):
        moved, near = found.cost.traffic[k][position], by_compute[position]
        share, slots = activity.accesses[position], activity.timed[position]
        reads, writes = (
            whole - own + own * share for whole, own in ((moved.reads, near.reads), (moved.writes, near.writes))
        )
        own = near.reads + near.writes
        timed = moved.reads + moved.writes - own + own * slots
        burst = _burst(k, position, found, architecture, bits[position])
        if timed:
            width = _width(k, position, found, architecture, operand, bits[position], moved)
            yield Move(port, operand.name, reads * burst, writes * burst, timed * burst, width)


def _width(
    k: int, position: int, found: Found, architecture: FreeDataflow, operand: Operand, bits: int, moved: Traffic
) -> float:
    node = architecture.nodes[k]
    compression = node.compression.get(PORTS[position]) if isinstance(node, MemoryNode) else None
    if compression is None:
        return bits
    final = compressed_bits(compression, bits, operand.density)
    if position != RESULT:
        return final
    words = moved.reads + moved.writes
    last = found.problem.total(RESULT)  # the others are partial sums, of which none is zero
    return (last * final + (words - last) * compressed_bits(compression, bits, 1.0)) / words


def _burst(k: int, position: int, found: Found, architecture: FreeDataflow, bits: int) -> float:
    """Words moved per word needed at the external memory, for the runs of addresses of the tiles inside it."""
    if k != 0 or architecture.dram_burst_bytes is None:
        return 1.0
    problem, hierarchy = found.problem, found.hierarchy
    inner = next((m for m in hierarchy.memories[1:] if hierarchy.memory(m).holds[position]), len(hierarchy.nodes))
    tile = [
        math.prod(size for loops in found.mapping.loops[inner:] for dim, size in loops if dim == name)
        for name in problem.names
    ]
    run = 1
    for axis in reversed(problem.axes[position]):
        span = min(1 + sum(step * (tile[d] - 1) for d, step in axis.terms), axis.extent)
        run *= span
        if span < axis.extent:
            break
    return architecture.in_bursts(run, bits) / run
