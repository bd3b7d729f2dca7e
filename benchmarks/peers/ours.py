"""The chip and the layers of `chip` in our terms, and the mappings that peers found on them."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from benchmarks.peers import chip
from hwsim.mapping.hierarchy import Array, Hierarchy, Memory
from hwsim.mapping.mapping import Cost, Loop, Mapping, evaluate
from hwsim.mapping.objective import ENERGY, Objective
from hwsim.mapping.problem import Problem, problem_of
from hwsim.mapping.search import Found, search
from hwsim.workload.contraction import conv2d

PORTS = ("input", "weight", "output")
LAYERS = {layer.name: layer for layer in chip.RESNET18}
BUFFER, ROWS = 1, 3
"""Positions in a hierarchy, after the external memory and before the registers."""

Nest = list[Loop]
"""Innermost loop first, as ZigZag writes them."""


class UnevenError(Exception):
    """A mapping in which operands leave one memory at different loops, which our mappings cannot say."""


def problem(layer: chip.Layer) -> Problem:
    """The layer as a problem."""
    return problem_of(
        conv2d(
            layer.name, batch=1, in_channels=layer.in_channels, out_channels=layer.out_channels,
            input_size=(layer.size,) * 2, kernel=(layer.kernel,) * 2, stride=(layer.stride,) * 2,
            padding=(layer.padding,) * 2,
        )
    )  # fmt: skip


def hierarchy(order: tuple[str, ...]) -> Hierarchy:
    """The chip, with the registers of the operands one inside the other in ``order``, outermost first.

    Which is outermost means nothing to the hardware: loops between two registers are loops that one operand keeps its
    tile through and another does not.
    """
    bits = (chip.WORD_BITS,) * 3
    everything = (True, True, True)
    dram, buffer, register = ((energy,) * 3 for energy in (chip.DRAM_PJ, chip.BUFFER_PJ, chip.REGISTER_PJ))
    return Hierarchy(
        "chip",
        (
            Memory("dram", everything, bits, dram, dram),
            Memory("buffer", everything, bits, buffer, buffer, bits=chip.BUFFER_BITS),
            Array("columns", chip.COLUMNS, frozenset("m")),
            Array("rows", chip.ROWS, frozenset("c")),
            *(_register(name, bits, register) for name in order),
        ),
        chip.MAC_PJ,
    )


def _register(name: str, bits: tuple[int, int, int], energy_pj: tuple[float, float, float]) -> Memory:
    first, second, third = (port == name for port in PORTS)
    words = [chip.REGISTER_WORDS[port] if port == name else None for port in PORTS]
    return Memory(
        f"register_{name}", (first, second, third), bits, energy_pj, energy_pj, (words[0], words[1], words[2])
    )


def even_hierarchy() -> Hierarchy:
    """The chip with the registers of all operands as one memory: all keep their tiles through the same loops."""
    chain = hierarchy(PORTS)
    bits, energy_pj = (chip.WORD_BITS,) * 3, (chip.REGISTER_PJ,) * 3
    first, second, third = (chip.REGISTER_WORDS[port] for port in PORTS)
    registers = Memory("registers", (True,) * 3, bits, energy_pj, energy_pj, (first, second, third))
    return Hierarchy("chip", (*chain.nodes[: ROWS + 1], registers), chip.MAC_PJ)


def optimum(layer: chip.Layer, on: Hierarchy, objective: Objective = ENERGY) -> tuple[Found, float]:
    """Return the best mapping and the CPU seconds it took to find."""
    start = time.process_time()
    found = search(problem(layer), on, objective)
    return found, time.process_time() - start


class Translated(NamedTuple):
    """A mapping of ZigZag in our terms with its cost."""

    problem: Problem
    mapping: Mapping
    hierarchy: Hierarchy
    cost: Cost


def translate(result: dict[str, Any]) -> Translated:
    """Price a result of ``zigzag_driver`` with our model.

    ZigZag says for every operand at which loop of one common nest it enters the registers and the buffer. The
    registers are memories of their own, so each loop has its place; in the shared buffer, loops that do not move an
    operand may be counted on either side, which must bring all operands together.

    Raises
    ------
    UnevenError
        If it does not.
    """
    given = problem(LAYERS[result["layer"]])
    nest: Nest = [(name, size) for level in result["loops"]["output"] for name, size in level]
    ends = {port: list(itertools.accumulate(len(level) for level in result["loops"][port])) for port in PORTS}
    least = [_same_tile(given, position, nest, ends[port][0])[0] for position, port in enumerate(PORTS)]
    registers, order = zip(*sorted(zip(least, PORTS, strict=True), reverse=True), strict=True)
    ranges = [_same_tile(given, position, nest, ends[port][1]) for position, port in enumerate(PORTS)]
    low, high = max(registers[0], *(first for first, _ in ranges)), min(last for _, last in ranges)
    if low > high:
        raise UnevenError(f"{result['layer']}: operands leave the buffer at different loops")
    cuts = [0, *reversed(registers), low, len(nest)]  # innermost first
    inside_out = [tuple(reversed(nest[start:end])) for start, end in itertools.pairwise(cuts)]
    *register_loops, buffer_loops, dram_loops = (_present(loops) for loops in inside_out)
    columns, rows = (_present(((name, size),)) for name, size in zip("mc", result["spread"], strict=True))
    mapping = Mapping((dram_loops, buffer_loops, columns, rows, *reversed(register_loops)))
    chain = hierarchy(order)
    return Translated(given, mapping, chain, evaluate(mapping, given, chain))


def _same_tile(given: Problem, operand: int, nest: Nest, end: int) -> tuple[int, int]:
    """First and last cut of ``nest`` that leave the operand the tile that it has at cut ``end``."""
    moves = {name for name, yes in zip(given.names, given.relevant[operand], strict=True) if yes}
    first = last = end
    while first > 0 and nest[first - 1][0] not in moves:
        first -= 1
    while last < len(nest) and nest[last][0] not in moves:
        last += 1
    return first, last


def _present(loops: tuple[Loop, ...]) -> tuple[Loop, ...]:
    return tuple(loop for loop in loops if loop[1] > 1)


def words_moved(one: Translated) -> Iterator[tuple[str, str, float]]:
    """Level, operand and words read and written there; registers apart by what fills and what uses them."""
    for k, node in enumerate(one.hierarchy.nodes):
        for position, port in enumerate(PORTS):
            moved = one.cost.traffic[k][position]
            words = moved.reads + moved.writes
            if k <= BUFFER:
                yield node.name, port, words
            elif node.name == f"register_{port}":
                use = _sums_touched(one) if port == "output" else moved.reads
                yield "register use", port, use
                yield "register fill", port, words - use


def _sums_touched(one: Translated) -> float:
    """Every product is added to a sum that is read and written, but the first of a sum, which is only written."""
    return 2 * one.problem.points - one.problem.total(one.problem.result) * rows_used(one)


def rows_used(one: Translated) -> int:
    """Input channels that the array sums up at a time."""
    return math.prod(size for _, size in one.mapping.loops[ROWS])


def in_zigzags_terms(one: Translated) -> dict[tuple[str, str], float]:
    """What ZigZag would count: `words_moved` after the two rules in which it differs.

    A factor that the innermost loops do not move stays in the multiplier and is read once for all of them. A sum that
    is ever read back is read back every time, the first included.
    """
    words = {(level, port): count for level, port, count in words_moved(one)}
    totals, summed = one.problem.total(one.problem.result), rows_used(one)
    for position, port in enumerate(PORTS[:2]):
        words["register use", port] = one.problem.points / _stationary(one, position)
    words["register use", "output"] = _returned(words["register use", "output"], totals * summed)
    words["register fill", "output"] = _returned(words["register fill", "output"], totals * summed)
    words["dram", "output"] = _returned(words["dram", "output"], totals)
    words["buffer", "output"] = words["register fill", "output"] / summed + words["dram", "output"]
    return words


def _returned(words: float, firsts: int) -> float:
    """Words written and read back, from those that leave out the first of each sum."""
    written = (words + firsts) / 2
    return 2 * written if written > firsts else written


def _stationary(one: Translated, operand: int) -> int:
    """Product of the innermost loops in time that do not move an operand."""
    moves = {name for name, yes in zip(one.problem.names, one.problem.relevant[operand], strict=True) if yes}
    loops = [loop for k in one.hierarchy.memories for loop in one.mapping.loops[k]]
    kept = itertools.takewhile(lambda loop: loop[0] not in moves, reversed(loops))
    return math.prod(size for _, size in kept)


def peer_words_moved(result: dict[str, Any]) -> Iterator[tuple[str, str, float]]:
    """The same of what ZigZag counts: registers, buffer and external memory, inwards ("low") and outwards ("high")."""
    for port in PORTS:
        register, buffer, dram = result["accesses"][port]
        yield "dram", port, sum(dram.values())
        yield "buffer", port, sum(buffer.values())
        yield "register fill", port, register["wr_in_by_high"] + register["rd_out_to_high"]
        yield "register use", port, register["wr_in_by_low"] + register["rd_out_to_low"]


def energy_pj(words: dict[tuple[str, str], float], macs: int) -> float:
    """Energy of words moved, and of the products."""
    of_level = {"dram": chip.DRAM_PJ, "buffer": chip.BUFFER_PJ}
    return macs * chip.MAC_PJ + sum(
        count * of_level.get(level, chip.REGISTER_PJ) for (level, _), count in words.items()
    )
