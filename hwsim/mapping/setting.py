"""What a search knows before it starts: tiles, capacities, and what a word costs where."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np

from hwsim.mapping.hierarchy import Array, Hierarchy, Port
from hwsim.mapping.lattice import Flags, Floats, Lattice
from hwsim.mapping.objective import Objective
from hwsim.mapping.problem import Integers, Problem
from hwsim.mapping.symmetry import mirrored


@dataclass(frozen=True)
class Setting:
    """A problem, whose tiles are a lattice, on a hierarchy with an objective."""

    problem: Problem
    hierarchy: Hierarchy
    objective: Objective
    lattice: Lattice

    @cached_property
    def ports(self) -> tuple[tuple[int, Port], ...]:
        """Ports whose bandwidth matters to the objective, each with its memory."""
        if not self.objective.latency:
            return ()
        return tuple((k, port) for k in self.hierarchy.memories for port in self.hierarchy.memory(k).ports)

    @property
    def metrics(self) -> int:
        """Length of a cost vector: energy, cycles of each port, of passes if they take any, and of the compute unit."""
        return 2 + len(self.ports) + (self.passes is not None) if self.objective.latency else 1

    @cached_property
    def passes(self) -> int | None:
        """Position of the cycles that arrays take per pass, None if none takes any or only energy counts."""
        taken = any(isinstance(node, Array) and node.pass_cycles for node in self.hierarchy.nodes)
        return 1 + len(self.ports) if taken and self.objective.latency else None

    @cached_property
    def terms(self) -> tuple[tuple[int, ...], ...]:
        """Latency is the sum of these terms, each the greatest of some entries of a cost vector."""
        awaited = self.hierarchy.awaited
        owners = [(metric, k) for metric, (k, _) in enumerate(self.ports, start=1)]
        turns = [tuple(metric for metric, k in owners if k == one) for one in awaited]
        together = (*(metric for metric, k in owners if k not in awaited), self.metrics - 1)
        passes = () if self.passes is None else ((self.passes,),)
        return (together, *(own for own in turns if own), *passes)

    @cached_property
    def totals(self) -> tuple[int, int, int]:
        """Words of each operand in the whole problem."""
        first, second, third = (self.problem.total(operand) for operand in range(3))
        return first, second, third

    @cached_property
    def mirror(self) -> Integers:
        """Mirror image of every tile."""
        return mirrored(self.problem, self.hierarchy, self.lattice)

    @cached_property
    def fits(self) -> dict[int, Flags]:
        """For every memory, which tiles it can hold."""
        return {k: self._fitting(k) for k in self.hierarchy.memories}

    def word(self, node: int, operand: int, *, inward: bool) -> tuple[Floats, Floats]:
        """Cost vector of one word at a memory, and the part that first visits of a result do not pay.

        ``inward`` is the side towards the compute unit, else the side towards the parent. A result travels both
        ways: a partial sum is brought back unless it begins at zero.
        """
        memory = self.hierarchy.memory(node)
        read, write = np.zeros(self.metrics), np.zeros(self.metrics)
        read[0], write[0] = memory.read_pj[operand], memory.write_pj[operand]
        for metric, (k, port) in enumerate(self.ports, start=1):
            if k == node:
                cycles = memory.word_bits[operand] / port.bits_per_cycle
                read[metric], write[metric] = port.reads[operand] * cycles, port.writes[operand] * cycles
        one_way = read if inward else write
        if operand != self.problem.result:
            return one_way, np.zeros(self.metrics)
        return read + write, one_way.copy()

    def inside(self, array: int) -> Flags:
        """Which metrics are cycles of what lies inside node ``array`` and therefore divide among its instances."""
        steps = [True] * (1 if self.passes is None else 2)
        return np.array([False, *(k > array for k, _ in self.ports), *steps][: self.metrics])

    def value(self, costs: Floats) -> Floats:
        """Objective of cost vectors, shape (n, metrics)."""
        if not self.objective.latency:
            return self.objective.value(costs[:, 0], costs[:, 0])
        terms = (reduce(np.maximum, (costs[:, metric] for metric in term)) for term in self.terms)
        return self.objective.value(costs[:, 0], reduce(np.add, terms))

    def loopable(self, k: int) -> list[int]:
        """Dimensions that may have loops at node ``k``."""
        node = self.hierarchy.nodes[k]
        return [dimension for dimension, name in enumerate(self.problem.names) if node.accepts(name)]

    def _fitting(self, k: int) -> Flags:
        memory = self.hierarchy.memory(k)
        fits = np.ones(len(self.lattice), bool)
        bits = np.zeros(len(self.lattice))
        for operand in memory.held:
            words = self.lattice.footprint[:, operand]
            capacity = memory.words[operand]
            if capacity is not None:
                fits &= words <= capacity
            bits += words * memory.word_bits[operand]
        return fits if memory.bits is None else fits & (bits <= memory.bits)
