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
        if not self.operands and not self.reserved_bits and not self.hands_over:
            return hierarchy
        buffer = hierarchy.memory(hierarchy.memories[1])
        outer = hierarchy.memory(0)
        here = [problem.operands[position] in self.operands for position in range(3)]
        write_pj = [inner if kept else far for kept, inner, far in zip(here, buffer.write_pj, outer.write_pj, strict=True)]
        read_pj = [inner if kept else far for kept, inner, far in zip(here, buffer.read_pj, outer.read_pj, strict=True)]
        bits = [0 if kept else far for kept, far in zip(here, outer.word_bits, strict=True)]
        outer = replace(
            outer, read_pj=(read_pj[0], read_pj[1], read_pj[2]), write_pj=(write_pj[0], write_pj[1], write_pj[2]),
            word_bits=(bits[0], bits[1], bits[2]),
        )  # fmt: skip
        left = None if buffer.bits is None else max(buffer.bits - self.reserved_bits, 0)
        nodes = list(hierarchy.nodes)
        nodes[0], nodes[hierarchy.memories[1]] = outer, replace(buffer, bits=left)
        return replace(hierarchy, nodes=tuple(nodes))


NOTHING = OnChip()
