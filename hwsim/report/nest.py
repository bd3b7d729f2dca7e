"""A mapping as a loop nest, with what moves at every node."""

from __future__ import annotations

from hwsim.mapping.hierarchy import Array
from hwsim.mapping.search import Found


def loop_nest(found: Found, clock_hz: float) -> str:
    """Return the nest as text: loops from the outside in, tiles and accesses of every memory, what limits the time."""
    lines, depth = [], 0
    for k, node in enumerate(found.hierarchy.nodes):
        is_array = isinstance(node, Array)
        kind = f"over {node.size} instances" if isinstance(node, Array) else _accesses(found, k)
        lines.append(f"{'  ' * depth}{node.name}: {kind}")
        for name, size in found.mapping.loops[k]:
            lines.append(f"{'  ' * depth}  {'parallel' if is_array else 'for'} {name} in {size}")
            depth += 1
    lines.append(f"{'  ' * depth}compute")
    cost, certificate = found.cost, found.certificate
    lines.append("")
    lines.append(
        f"{cost.energy_pj * 1e-6:.6g} µJ, {cost.cycles:.6g} cycles ({cost.cycles / clock_hz * 1e6:.6g} µs), "
        f"bound by {cost.bound}; compute alone {cost.compute_cycles:.6g} cycles"
    )
    lines.append(
        f"optimal: {certificate.space:.3g} mappings in the space, {certificate.visited} priced, "
        f"{certificate.bounded} of them bounded away"
    )
    return "\n".join(lines)


def _accesses(found: Found, k: int) -> str:
    parts = []
    for name, moved in zip(found.problem.operands, found.cost.traffic[k], strict=True):
        if moved.reads or moved.writes:
            parts.append(f"{name} {moved.reads:.4g} read {moved.writes:.4g} written")
    return "; ".join(parts) or "bypassed"
