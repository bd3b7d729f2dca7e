"""What every mapping of a problem on a hierarchy costs at least, without looking at any."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import pairwise

from hwsim.mapping.filling import fans_of, most_instances
from hwsim.mapping.hierarchy import Array, Hierarchy
from hwsim.mapping.objective import Objective
from hwsim.mapping.problem import Problem


def least_value(problem: Problem, hierarchy: Hierarchy, objective: Objective) -> float:
    """Lower bound of ``objective`` over all mappings.

    Every word of a factor is read and every word of the result written at least once on its way between two
    memories; every point reads its factors from, and updates its sum in, the innermost memory that holds them, where
    one access serves at most all instances of the arrays inside that share it.
    """
    energy_pj = problem.points * hierarchy.compute_pj
    bits: dict[int, float] = defaultdict(float)
    for operand in range(3):
        holders = [k for k in hierarchy.memories if hierarchy.memory(k).holds[operand]]
        moved = [(parent, *_passing(problem, operand, inward=True)) for parent in holders[:-1]]
        moved += [(child, *_passing(problem, operand, inward=False)) for _, child in pairwise(holders)]
        moved.append((holders[-1], *_used(problem, hierarchy, operand, holders[-1])))
        for k, reads, writes in moved:
            memory = hierarchy.memory(k)
            energy_pj += reads * memory.read_pj[operand] + writes * memory.write_pj[operand]
            bits[k] += (reads + writes) * memory.word_bits[operand]
    return objective.value(energy_pj, _cycles(problem, hierarchy, bits) if objective.latency else 1.0)


def _passing(problem: Problem, operand: int, *, inward: bool) -> tuple[float, float]:
    """Words read and written at one memory on the way to or from another one, the side towards the unit if inward."""
    words = float(problem.total(operand))
    return (words, 0.0) if inward != (operand == problem.result) else (0.0, words)


def _used(problem: Problem, hierarchy: Hierarchy, operand: int, k: int) -> tuple[float, float]:
    """Words that the compute units read from and write to memory ``k``."""
    inside = (node for node in hierarchy.nodes[k:] if isinstance(node, Array))
    words = problem.points / math.prod(array.size for array in inside if array.shared[operand])
    if operand != problem.result:
        return words, 0.0
    return max(0.0, words - problem.total(operand) * hierarchy.instances(k)), words


def _cycles(problem: Problem, hierarchy: Hierarchy, bits: dict[int, float]) -> float:
    busy = [problem.points / most_instances(problem.bounds, fans_of(hierarchy, problem.names)) / hierarchy.lanes]
    for k, moved in bits.items():
        bandwidth = hierarchy.memory(k).bits_per_cycle
        busy += [moved / bandwidth / hierarchy.instances(k)] if bandwidth else []
    return max(busy)
