"""The chain of memories and spatial arrays that a mapping fills, from the outermost memory to the compute unit.

Per-operand tuples are in the order input, weight, output, whichever of them is the result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple


class Port(NamedTuple):
    """A bandwidth that some transfers of one instance of a memory share."""

    bits_per_cycle: float
    reads: tuple[bool, bool, bool] = (True, True, True)
    """Operands of which reads pass it."""
    writes: tuple[bool, bool, bool] = (True, True, True)


@dataclass(frozen=True)
class Memory:
    """A storage level.

    Attributes
    ----------
    holds
        Which operands it stores; the others pass it by.
    word_bits
        Width of a word of each operand here, its share of what a row wastes included.
    read_pj, write_pj
        Energy of moving one word of each operand, in picojoules.
    words
        Capacity for each operand alone, None where only the shared capacity counts.
    bits
        Capacity shared by all operands in bits, None if unlimited.
    bits_per_cycle
        Bandwidth of the port, both directions and all operands together, None if unlimited.
    dimensions
        Names of the dimensions that may have loops here; None for any.
    stationary
        Operand that loops here must keep in place: those that do not move it run innermost. None for a free order.
    further_ports
        Bandwidths of one direction or one operand.
    double_buffered
        Whether it fills while what is inside it works.
    """

    name: str
    holds: tuple[bool, bool, bool]
    word_bits: tuple[float, float, float]
    read_pj: tuple[float, float, float]
    write_pj: tuple[float, float, float]
    words: tuple[int | None, int | None, int | None] = (None, None, None)
    bits: int | None = None
    bits_per_cycle: float | None = None
    dimensions: frozenset[str] | None = None
    stationary: int | None = None
    further_ports: tuple[Port, ...] = ()
    double_buffered: bool = True

    @property
    def ports(self) -> tuple[Port, ...]:
        """All that limit its time."""
        shared = () if self.bits_per_cycle is None else (Port(self.bits_per_cycle),)
        return shared + self.further_ports

    def accepts(self, dimension: str) -> bool:
        """Whether ``dimension`` may have loops here."""
        return self.dimensions is None or dimension in self.dimensions

    @property
    def held(self) -> tuple[int, ...]:
        """Positions of the operands it stores."""
        return tuple(operand for operand, yes in enumerate(self.holds) if yes)


@dataclass(frozen=True)
class Array:
    """A spatial fan-out along one axis.

    Attributes
    ----------
    size
        Instances of everything inside.
    dimensions
        Names of the dimensions that may unroll over it; None for any.
    shared
        Whether one word outside serves all instances that need it (multicast); for the result, whether partial
        results of different instances add up on the way out.
    hop_pj
        Energy of carrying one word of each operand to or from one instance, in picojoules.
    pass_cycles
        Cycles that it takes beside its work in each iteration of the loops outside.
    """

    name: str
    size: int
    dimensions: frozenset[str] | None = None
    shared: tuple[bool, bool, bool] = (True, True, True)
    hop_pj: tuple[float, float, float] = (0.0, 0.0, 0.0)
    pass_cycles: float = 0.0

    def accepts(self, dimension: str) -> bool:
        """Whether ``dimension`` may unroll over it."""
        return self.dimensions is None or dimension in self.dimensions


Node = Memory | Array


@dataclass(frozen=True)
class Hierarchy:
    """Nodes from the outermost memory, which holds everything, to the compute unit inside the last."""

    name: str
    nodes: tuple[Node, ...]
    compute_pj: float
    """Energy of one point of the iteration space, in picojoules."""
    lanes: float = 1.0
    """Points that one compute unit finishes in a cycle."""

    def __post_init__(self) -> None:
        outermost = self.nodes[0]
        if not isinstance(outermost, Memory) or not all(outermost.holds):
            raise ValueError("the outermost node must be a memory that holds every operand")

    @property
    def memories(self) -> tuple[int, ...]:
        """Indices of the memories among the nodes."""
        return tuple(index for index, node in enumerate(self.nodes) if isinstance(node, Memory))

    @property
    def awaited(self) -> tuple[int, ...]:
        """Indices of the memories whose transfers stop what is inside, because the next one has one buffer only."""
        return tuple(outer for outer, inner in pairwise(self.memories) if not self.memory(inner).double_buffered)

    def memory(self, index: int) -> Memory:
        """The memory at node ``index``; `TypeError` if that is an array."""
        node = self.nodes[index]
        if not isinstance(node, Memory):
            raise TypeError(f"node {index} of {self.name} is an array")
        return node

    def holder(self, operand: int, inside: int) -> int:
        """Index of the nearest memory outside node ``inside`` that holds ``operand``."""
        return max(k for k in self.memories if k < inside and self.memory(k).holds[operand])

    def instances(self, node: int) -> int:
        """How many instances of ``node`` there are."""
        return math.prod(array.size for array in self.nodes[:node] if isinstance(array, Array))
