"""Cycles of the mappings that ZigZag found: by our model, and as ZigZag would count them.

Every memory has one port of a word per cycle for both directions, as in ``zigzag_driver``. Ours: the
compute unit and all ports work at the same time, so the busiest decides. ZigZag lets ports overlap too, but not the
first words of the factors on their way in, nor the last results on their way out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from benchmarks.peers import chip
from benchmarks.peers.ours import BUFFER, PORTS, Translated, in_zigzags_terms, rows_used
from hwsim.mapping.hierarchy import Hierarchy, Port
from hwsim.mapping.mapping import evaluate


def ported(hierarchy: Hierarchy) -> Hierarchy:
    """The chip with a port of one word per cycle at both memories, and at the registers of each operand."""
    nodes = list(hierarchy.nodes)
    for k in hierarchy.memories:
        memory = hierarchy.memory(k)
        operands = [(held,) for held in memory.held] if k > BUFFER else [memory.held]
        nodes[k] = replace(memory, further_ports=tuple(_port(*passing) for passing in operands))
    return replace(hierarchy, nodes=tuple(nodes))


def _port(*operands: int) -> Port:
    passing = (0 in operands, 1 in operands, 2 in operands)
    return Port(float(chip.WORD_BITS), passing, passing)


def cycles(one: Translated) -> float:
    """Cycles of a mapping in our model."""
    return evaluate(one.mapping, one.problem, ported(one.hierarchy)).cycles


class Tiles(NamedTuple):
    """Words that one transfer of an operand carries."""

    to_buffer: int
    to_registers: int
    """Of all registers together, words that several share counted once."""


def cycles_in_zigzags_terms(one: Translated) -> float:
    """Cycles of the same mapping as ZigZag counts: the busiest port between the first words in and the last ones out.

    While the second factor fills the buffer, the first may go on to the registers. Sums that are ever read back are
    read back the first time too, before anything is computed.
    """
    words = in_zigzags_terms(one)
    first, second, sums = (_tiles(one, position) for position in range(3))
    results = one.problem.total(one.problem.result)
    from_dram = 1 + (words["dram", "output"] > results)
    from_buffer = 1 + (words["register fill", "output"] > results * rows_used(one))
    beside_dram = first.to_buffer + second.to_buffer + from_dram * sums.to_buffer
    beside_buffer = first.to_registers + second.to_registers + from_buffer * sums.to_registers
    dram, buffer = (sum(words[level, port] for port in PORTS) for level in ("dram", "buffer"))
    used = one.problem.points / one.cost.compute_cycles
    registers = [(words["register use", port] + words["register fill", port]) / used for port in PORTS]
    between = max(one.cost.compute_cycles, dram - beside_dram, buffer - beside_dram - beside_buffer, *registers)
    return between + min(_makespan(first, second), _makespan(second, first)) + sum(sums)


def _makespan(first: Tiles, second: Tiles) -> int:
    """Cycles until both factors are in the registers, one after the other through the port of the external memory."""
    filled = first.to_buffer + second.to_buffer
    return max(first.to_buffer + first.to_registers, filled + second.to_registers)


def _tiles(one: Translated, operand: int) -> Tiles:
    register = next(
        k for k in one.hierarchy.memories if k > BUFFER and one.hierarchy.memory(k).holds[operand]
    )
    arrays = [k for k in range(BUFFER, register) if k not in one.hierarchy.memories]
    return Tiles(_words(one, operand, range(BUFFER, len(one.mapping.loops))),
                 _words(one, operand, (*arrays, *range(register, len(one.mapping.loops)))))  # fmt: skip


def _words(one: Translated, operand: int, nodes: Iterable[int]) -> int:
    """Words of the tile that the loops of ``nodes`` cover."""
    loops = [loop for k in nodes for loop in one.mapping.loops[k]]
    tile = [math.prod(size for name, size in loops if name == dimension) for dimension in one.problem.names]
    return one.problem.words(operand, tile)
