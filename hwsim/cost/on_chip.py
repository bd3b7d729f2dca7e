"""What stays on chip between operators that are fused, as a contraction's mapping sees it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hwsim.mapping.hierarchy import Hierarchy
from hwsim.mapping.problem import Problem


@dataclass(frozen=True)
class OnChip:
    """Operands that live in a reserved part of the buffer, the outermost memory on chip."""

    operands: frozenset[str] = frozenset()
    """They are read and written there instead of in the external memory."""
    reserved_bits: int = 0
    """Size of that part; the rest is left to the mapping."""
    hands_over: bool = False
    """The next operator takes every word of the result when it leaves the buffer for good."""

    def applied(self, hierarchy: Hierarchy, problem: Problem) -> Hierarchy:
        """Return the hierarchy as the mapping finds it."""
        if not self.operands and not self.reserved_bits:
            return hierarchy
        buffer = hierarchy.memory(hierarchy.memories[1])
        outer = hierarchy.memory(0)
        here = [name in self.operands for name in problem.operands]
        write_pj = [buffer.write_pj[i] if kept else outer.write_pj[i] for i, kept in enumerate(here)]
        read_pj = [buffer.read_pj[i] if kept else outer.read_pj[i] for i, kept in enumerate(here)]
        bits = [0 if kept else outer.word_bits[i] for i, kept in enumerate(here)]
        outer = replace(
            outer, read_pj=(read_pj[0], read_pj[1], read_pj[2]), write_pj=(write_pj[0], write_pj[1], write_pj[2]),
            word_bits=(bits[0], bits[1], bits[2]),
        )  # fmt: skip
        left = None if buffer.bits is None else max(buffer.bits - self.reserved_bits, 0)
        nodes = list(hierarchy.nodes)
        nodes[0], nodes[hierarchy.memories[1]] = outer, replace(buffer, bits=left)
        return replace(hierarchy, nodes=tuple(nodes))


NOTHING = OnChip()
