"""The chain of memories and spatial arrays that a mapping fills, from the outermost memory to the compute unit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Memory:
    """A storage level; per-operand tuples are in the order input, weight, output.

    Attributes
    ----------
    holds
        Which operands it stores; the others pass it by.
    words
        Capacity for each operand alone, None where only the shared capacity counts.
    bits
        Capacity shared by all operands in bits, None if unlimited.
    read_pj, write_pj
        Energy of moving one word of each operand, in picojoules.
    bits_per_cycle
        Bandwidth of the shared port in both directions together, None if unlimited.
    """

    name: str
    holds: tuple[bool, bool, bool]
    read_pj: tuple[float, float, float]
    write_pj: tuple[float, float, float]
    words: tuple[int | None, int | None, int | None] = (None, None, None)
    bits: int | None = None
    bits_per_cycle: float | None = None


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
        Whether one read outside serves all instances that need the same word (multicast); for the result,
        whether partial results add up on the way out. In the order input, weight, output.
    hop_pj
        Energy of delivering one word of each operand to one instance.
    """

    name: str
    size: int
    dimensions: frozenset[str] | None = None
    shared: tuple[bool, bool, bool] = (True, True, True)
    hop_pj: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Hierarchy:
    """Nodes from the outermost memory, which holds everything, to the compute unit inside the last."""

    name: str
    nodes: tuple[Memory | Array, ...]
    word_bits: tuple[int, int, int]
    """Width of a word of input, weight and output."""
    compute_pj: float
    """Energy of one point of the iteration space."""

    def __post_init__(self) -> None:
        outermost = self.nodes[0]
        if not isinstance(outermost, Memory) or not all(outermost.holds):
            raise ValueError("the outermost node must be a memory that holds every operand")

    @property
    def memories(self) -> tuple[int, ...]:
        """Indices of the memories among the nodes."""
        return tuple(index for index, node in enumerate(self.nodes) if isinstance(node, Memory))
