"""Words that a mapped contraction moves at every node, after zeros, stored formats and bursts.

The mapping was found for dense operands and single words; what is done here prices that mapping and does not change it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hwsim.architecture import FreeDataflow
from hwsim.architecture.nodes import PORTS, ArrayNode, MemoryNode, Port
from hwsim.cost.density import compressed_bits, skipped_time
from hwsim.cost.on_chip import OnChip
from hwsim.mapping.mapping import caused_by_compute
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
    words: float
    """Read and written, that cost energy."""
    reads: float
    """That take time."""
    writes: float
    """That take time."""
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
    for factor in zeros.gating:
        accesses[factor] = left
        left *= density[factor]
    for port in PORTS:
        if port not in {*zeros.skips, *zeros.gating}:
            accesses[port] = left
    timed = {port: 1.0 if port in zeros.skips else skipped for port in PORTS}
    return Activity(left, _time(found, architecture, operands, skipped), _by_port(accesses), _by_port(timed))


def _by_port(shares: Mapping[Port, float]) -> tuple[float, float, float]:
    return shares["input"], shares["weight"], shares["output"]


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
    selecting = {name for i, name in enumerate(problem.names) if problem.relevant[ports, i].any()}
    spatial = [loop for k, loops in enumerate(found.mapping.loops) if k not in hierarchy.memories for loop in loops]
    lanes = math.prod(size for name, size in spatial if name in selecting)
    points = problem.points // math.prod(size for _, size in spatial)
    return skipped_time(density, lanes, min(skipping.window, points))


def moves_of(
    found: Found,
    architecture: FreeDataflow,
    operator: Operator,
    bits: Sequence[tuple[float, float, float]],
    activity: Activity,
    on_chip: OnChip,
) -> list[list[Move]]:
    """Return what moves at every node; ``bits`` are the widths of words there before they are compressed."""
    caused = caused_by_compute(found.mapping, found.problem, found.hierarchy)
    operands = _operands(found, operator)
    moves: list[list[Move]] = [[] for _ in architecture.nodes]
    for k, position in itertools.product(range(len(architecture.nodes)), range(3)):
        moved, own, operand = found.cost.traffic[k][position], caused[k][position], operands[position]
        gone = found.problem.total(RESULT) if k == 0 and position == RESULT and on_chip.hands_over else 0
        dense = moved.reads + moved.writes - gone
        words = dense - (1 - activity.accesses[position]) * (own.reads + own.writes)
        reads = moved.reads - (1 - activity.timed[position]) * own.reads
        writes = moved.writes - gone - (1 - activity.timed[position]) * own.writes
        if k == 0 and operand.name in on_chip.operands:
            buffer = found.hierarchy.memories[1]
            width = _row_share(architecture.nodes[buffer], bits[0][position])
            moves[buffer].append(Move(PORTS[position], operand.name, words, reads, writes, width))
        elif reads + writes:
            burst = _burst(k, position, found, architecture, bits[k][position])
            final = (found.problem.total(RESULT) - gone) / dense if position == RESULT else 1.0
            width = _width(architecture.nodes[k], PORTS[position], operand, bits[k][position], final)
            scaled = (words * burst, reads * burst, writes * burst)
            moves[k].append(Move(PORTS[position], operand.name, *scaled, width))
    return moves


def _row_share(node: MemoryNode | ArrayNode, bits: float) -> float:
    return node.stored_bits(bits) if isinstance(node, MemoryNode) else bits


def _width(node: MemoryNode | ArrayNode, port: Port, operand: Operand, bits: float, final: float) -> float:
    """Mean bits of a word of which a share ``final`` is final; the others are partial sums, of which none is zero."""
    compression = node.compression.get(port) if isinstance(node, MemoryNode) else None
    if compression is None:
        return bits
    dense = compressed_bits(compression, bits, 1.0)
    return dense + final * (compressed_bits(compression, bits, operand.density) - dense)


def _burst(k: int, position: int, found: Found, architecture: FreeDataflow, bits: float) -> float:
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
