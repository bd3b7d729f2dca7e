"""A mapping: the loops at every node of a hierarchy, and what they cost.

This is the reference model. It reads the loop nest as a person would, one operand and one pair of memories at a
time, and is what a mapping written by hand is priced with; `hwsim.mapping.search` must agree with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hwsim.errors import HwsimError
from hwsim.mapping.hierarchy import Array, Hierarchy, Memory
from hwsim.mapping.problem import Problem
from hwsim.mapping.timing import cycles_of

PORTS = ("input", "weight", "output")
Loop = tuple[str, int]
"""Dimension and trip count."""


@dataclass(frozen=True)
class Mapping:
    """Loops of every node, outermost node first and outermost loop first; those of an array run in space."""

    loops: tuple[tuple[Loop, ...], ...]


@dataclass(frozen=True)
class Traffic:
    """Words moved at one node for one operand by the whole operator."""

    reads: float = 0.0
    writes: float = 0.0


@dataclass(frozen=True)
class Cost:
    """Cost of one mapping."""

    energy_pj: float
    cycles: float
    compute_cycles: float
    bound: str
    """Name of the memory whose port limits the latency, or ``compute``."""
    traffic: tuple[tuple[Traffic, Traffic, Traffic], ...]
    """Per node, for input, weight and output; deliveries to instances count as writes of an array."""


def evaluate(mapping: Mapping, problem: Problem, hierarchy: Hierarchy) -> Cost:
    """Price ``mapping``.

    Raises
    ------
    HwsimError
        If it is not legal; the message names the violated limit.
    """
    check(mapping, problem, hierarchy)
    nodes = range(len(hierarchy.nodes))
    traffic = [[Traffic(), Traffic(), Traffic()] for _ in nodes]
    for operand in range(3):
        holders = [k for k in nodes if _holds(hierarchy, k, operand)]
        for parent, child in zip(holders, [*holders[1:], len(hierarchy.nodes)], strict=True):
            for node, moved in _transfers(mapping, problem, hierarchy, operand, parent, child).items():
                before = traffic[node][operand]
                traffic[node][operand] = Traffic(before.reads + moved.reads, before.writes + moved.writes)
    energy_pj = problem.points * hierarchy.compute_pj + math.fsum(
        _energy_pj(node, moved) for node, moved in zip(hierarchy.nodes, traffic, strict=True)
    )
    compute = math.prod(size for k in hierarchy.memories for _, size in mapping.loops[k])
    ports = {k: _port_cycles(mapping, hierarchy, k, traffic[k]) for k in hierarchy.memories}
    cycles, bound = cycles_of(mapping.loops, hierarchy, compute / hierarchy.lanes, ports)
    return Cost(energy_pj, cycles, compute / hierarchy.lanes, bound, tuple((t[0], t[1], t[2]) for t in traffic))


def caused_by_compute(mapping: Mapping, problem: Problem, hierarchy: Hierarchy) -> list[list[Traffic]]:
    """Return the part of the traffic of every node that the compute unit itself causes, per operand."""
    nodes = range(len(hierarchy.nodes))
    caused = [[Traffic(), Traffic(), Traffic()] for _ in nodes]
    for operand in range(3):
        innermost = max(k for k in nodes if _holds(hierarchy, k, operand))
        for node, moved in _transfers(mapping, problem, hierarchy, operand, innermost, len(hierarchy.nodes)).items():
            caused[node][operand] = moved
    return caused


def check(mapping: Mapping, problem: Problem, hierarchy: Hierarchy) -> None:
    """Raise `HwsimError` naming the limit that ``mapping`` breaks, if it breaks one."""
    if len(mapping.loops) != len(hierarchy.nodes):
        raise HwsimError(f"mapping must have loops for {len(hierarchy.nodes)} nodes, not {len(mapping.loops)}")
    for dimension, size in (loop for loops in mapping.loops for loop in loops):
        if size < 1:
            raise HwsimError(f"loop over {dimension} must have at least 1 trip, not {size}")
        if size > 1 and dimension not in problem.names:
            raise HwsimError(f"loop over {dimension} must be over one of {', '.join(problem.names) or 'no dimension'}")
    for position, name in enumerate(problem.names):
        covered = math.prod(size for loops in mapping.loops for dimension, size in loops if dimension == name)
        if covered != problem.bounds[position]:
            raise HwsimError(f"loops over {name} must multiply to {problem.bounds[position]}, not {covered}")
    for k, node in enumerate(hierarchy.nodes):
        if isinstance(node, Array):
            _check_array(node, mapping.loops[k])
        else:
            _check_order(node, problem, mapping.loops[k])
            check_memory(node, problem, _tile(mapping, problem, k))


def _check_array(node: Array, loops: Sequence[Loop]) -> None:
    used = math.prod(size for _, size in loops)
    if used > node.size:
        raise HwsimError(f"array {node.name} has {node.size} instances; the mapping unrolls over {used}")
    for dimension, size in loops:
        if size > 1 and not node.accepts(dimension):
            only = ", ".join(sorted(node.dimensions or ()))
            raise HwsimError(f"array {node.name} cannot unroll {dimension}, only {only}")


def _check_order(node: Memory, problem: Problem, loops: Sequence[Loop]) -> None:
    names = [dimension for dimension, size in loops if size > 1]
    for dimension in names:
        if not node.accepts(dimension):
            only = ", ".join(sorted(node.dimensions or ()))
            raise HwsimError(f"memory {node.name} cannot loop over {dimension}, only {only}")
    if node.stationary is None:
        return
    moves = [bool(problem.relevant[node.stationary, problem.names.index(dimension)]) for dimension in names]
    if moves != sorted(moves, reverse=True):
        mover = names[len(moves) - 1 - moves[::-1].index(True)]
        raise HwsimError(
            f"memory {node.name} keeps {PORTS[node.stationary]} in place; the loop over {mover}, which moves it, "
            "must be outside those that do not"
        )


def check_memory(node: Memory, problem: Problem, tile: Sequence[int]) -> None:
    """Raise `HwsimError` naming the capacity that ``tile`` exceeds at ``node`` and the bytes missing, if it does."""
    total = 0.0
    for operand in node.held:
        words, width = problem.words(operand, tile), node.word_bits[operand]
        capacity = node.words[operand]
        if capacity is not None and words > capacity:
            raise HwsimError(
                f"memory {node.name} holds {capacity} words of {PORTS[operand]}; the tile needs {words}: "
                f"{_bytes((words - capacity) * width)} missing"
            )
        total += words * width
    if node.bits is not None and total > node.bits:
        raise HwsimError(
            f"memory {node.name} holds {node.bits} bits; the tile needs {math.ceil(total)}: "
            f"{_bytes(total - node.bits)} missing"
        )


def _bytes(bits: float) -> str:
    count = math.ceil(bits / 8)
    return f"{count} byte{'s' * (count != 1)}"


def _tile(mapping: Mapping, problem: Problem, node: int) -> list[int]:
    """Extent of each dimension inside ``node``, its own loops included."""
    inside = [loop for loops in mapping.loops[node:] for loop in loops]
    return [math.prod(size for dimension, size in inside if dimension == name) for name in problem.names]


def _holds(hierarchy: Hierarchy, k: int, operand: int) -> bool:
    node = hierarchy.nodes[k]
    return isinstance(node, Memory) and node.holds[operand]


def _transfers(
    mapping: Mapping, problem: Problem, hierarchy: Hierarchy, operand: int, parent: int, child: int
) -> dict[int, Traffic]:
    """Words that travel between two neighbouring holders of ``operand`` (``child`` may be the compute unit)."""
    is_compute = child == len(hierarchy.nodes)
    relevant = {name for name, yes in zip(problem.names, problem.relevant[operand], strict=True) if yes}
    visits = _visits(mapping, hierarchy, relevant, child, every=is_compute)
    carried = _tile(mapping, problem, child)  # what one visit carries, seen from where we are
    copies = 1
    moved: dict[int, Traffic] = {}
    for k in range(child, parent - 1, -1):
        node = hierarchy.nodes[k] if k < len(hierarchy.nodes) else None
        words = problem.words(operand, carried) * copies
        if isinstance(node, Array):
            spatial = math.prod(size for _, size in mapping.loops[k])
            delivered = words * visits * spatial * _instances(mapping, hierarchy, k)
            returned = delivered - _first_visits(mapping, problem, hierarchy, operand, k + 1)
            moved[k] = Traffic(writes=delivered + (returned if operand == problem.result else 0))
            if node.shared[operand]:
                for name, size in mapping.loops[k]:
                    carried[problem.names.index(name)] *= size
            else:
                copies *= spatial
        elif node is not None and k in {child, parent}:
            total = words * visits * _instances(mapping, hierarchy, k)
            again = total - _first_visits(mapping, problem, hierarchy, operand, k)
            if operand != problem.result:
                moved[k] = Traffic(writes=total) if k == child else Traffic(reads=total)
            else:
                moved[k] = Traffic(reads=total, writes=again) if k == child else Traffic(reads=again, writes=total)
    return moved


def _visits(mapping: Mapping, hierarchy: Hierarchy, relevant: set[str], child: int, *, every: bool) -> int:
    """How often the tile at ``child`` changes: all loops outside, but for the innermost irrelevant ones."""
    outside = [loop for k in hierarchy.memories if k < child for loop in mapping.loops[k] if loop[1] > 1]
    while not every and outside and outside[-1][0] not in relevant:
        outside.pop()
    return math.prod(size for _, size in outside)


def _instances(mapping: Mapping, hierarchy: Hierarchy, node: int) -> int:
    """Used instances of ``node``: the spatial loops outside it."""
    arrays = [k for k in range(node) if isinstance(hierarchy.nodes[k], Array)]
    return math.prod(size for k in arrays for _, size in mapping.loops[k])


def _first_visits(mapping: Mapping, problem: Problem, hierarchy: Hierarchy, operand: int, node: int) -> int:
    """Words of a result that begin at zero at ``node`` instead of being read back: one per partial result."""
    relevant = {name for name, yes in zip(problem.names, problem.relevant[operand], strict=True) if yes}
    arrays = [k for k in range(min(node, len(hierarchy.nodes))) if isinstance(hierarchy.nodes[k], Array)]
    partial = math.prod(size for k in arrays for name, size in mapping.loops[k] if name not in relevant)
    return problem.total(operand) * partial


def _energy_pj(node: Memory | Array, moved: Sequence[Traffic]) -> float:
    if isinstance(node, Array):
        return math.fsum(t.writes * hop for t, hop in zip(moved, node.hop_pj, strict=True))
    return math.fsum(
        t.reads * read + t.writes * write
        for t, read, write in zip(moved, node.read_pj, node.write_pj, strict=True)
    )


def _port_cycles(mapping: Mapping, hierarchy: Hierarchy, k: int, moved: Sequence[Traffic]) -> float:
    node = hierarchy.nodes[k]
    if not isinstance(node, Memory):
        return 0.0
    transfers = list(zip(moved, node.word_bits, strict=True))
    busy = [
        math.fsum((reads * t.reads + writes * t.writes) * bits
                  for (t, bits), reads, writes in zip(transfers, port.reads, port.writes, strict=True))
        / port.bits_per_cycle
        for port in node.ports
    ]  # fmt: skip
    return max(busy, default=0.0) / _instances(mapping, hierarchy, k)
