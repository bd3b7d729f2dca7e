"""A mapping as a loop nest, with what moves at every node."""

from __future__ import annotations

import math
from collections.abc import Mapping

from hwsim.mapping.hierarchy import Array
from hwsim.mapping.search import Found


def loop_nest(found: Found, clock_hz: float, padded: Mapping[str, int], beyond: str) -> str:
    """Return the nest as text: loops from the outside in, tiles and accesses of every memory, what limits the time.

    Parameters
    ----------
    padded
        Dimensions that the loops run beyond, with what these multiply to.
    beyond
        What neither the cost nor the search knows of.
    """
    lines, depth = [], 0
    for k, node in enumerate(found.hierarchy.nodes):
        is_array = isinstance(node, Array)
        kind = f"over {node.size} instances" if isinstance(node, Array) else _accesses(found, k)
        lines.append(f"{'  ' * depth}{node.name}: {kind}")
        if not is_array:
            lines.append(f"{'  ' * depth}  tile {_tile(found, k)}")
        for name, size in found.mapping.loops[k]:
            lines.append(f"{'  ' * depth}  {'parallel' if is_array else 'for'} {name} in {size}")
            depth += 1
    lines.append(f"{'  ' * depth}compute")
    cost, proof = found.cost, found.certificate
    lines.append("")
    if padded:
        lines.append(f"padded to {' '.join(f'{name}={size}' for name, size in padded.items())}")
    lines.append(
        f"{cost.energy_pj * 1e-6:.6g} µJ, {cost.cycles:.6g} cycles ({cost.cycles / clock_hz * 1e6:.6g} µs), "
        f"bound by {cost.bound}; compute alone {cost.compute_cycles:.6g} cycles"
    )
    if proof is not None:
        lines.append(
            f"optimal: {proof.space:.3g} mappings in the space, {proof.visited} priced, "
            f"{proof.bounded} of them bounded away, {proof.dominated} no better than another one of their tile; "
            f"{proof.alternatives} alternatives of bypass, ports and padding ({proof.padded} padded), "
            f"{proof.unsearched} of them bounded away as a whole"
        )
    if beyond:
        lines.append(f"not counted, and unknown to the search: {beyond} (hwsim score prices this mapping with them)")
    return "\n".join(lines)


def _accesses(found: Found, k: int) -> str:
    parts = []
    for name, moved in zip(found.problem.operands, found.cost.traffic[k], strict=True):
        if moved.reads or moved.writes:
            parts.append(f"{name} {moved.reads:.4g} read {moved.writes:.4g} written")
    return "; ".join(parts) or "bypassed"


def _tile(found: Found, k: int) -> str:
    """Extents inside node ``k`` and the words of each operand it holds."""
    problem, node = found.problem, found.hierarchy.memory(k)
    inside = [loop for loops in found.mapping.loops[k:] for loop in loops]
    tile = [math.prod(size for name, size in inside if name == dimension) for dimension in problem.names]
    extents = " ".join(f"{name}={size}" for name, size in zip(problem.names, tile, strict=True) if size > 1)
    words = (f"{problem.operands[operand]} {problem.words(operand, tile):,}" for operand in node.held)
    return f"{extents or 'of 1 point'}: {', '.join(words)} words"
