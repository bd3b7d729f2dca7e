"""The best fused schedule of a step: every chain is cut into segments, every segment runs in its best way.

A segment runs either *in flight*, where the later operators are pointwise and take every result as it leaves the chip,
or *in tiles*, where parts of the intermediate tensors stay in a reserved part of the buffer. Cuts are chosen by dynamic
programming over each chain. What is minimised is the sum of energy and latency, each as a share of the whole step
without fusion: its least value has, to first order, the least energy-delay product of the step, and it adds up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

from hwsim.cost.result import OperatorCost
from hwsim.fusion.chains import Chain, chains_of, legal, stored
from hwsim.fusion.pricing import Member, Pricing
from hwsim.fusion.tiling import Tiling, agrees, is_pointwise, tilings_of
from hwsim.workload.operator import Operator
from hwsim.workload.uses import Uses

LONGEST = 6
"""Operators in one segment; fusing more has a buffer hold more for little."""
TRIED = 2
"""Numbers of tiles that are priced: the fewest that fit, because more tiles fetch weights more often."""


@dataclass(frozen=True)
class Segment:
    """Operators that run together."""

    indices: tuple[int, ...]
    costs: tuple[OperatorCost, ...]
    how: str = ""
    """In words; empty if it is one operator on its own."""


Value = Callable[[Segment], float]
"""What to minimise; that of several segments is the sum."""


def fuse_step(
    operators: Sequence[Operator], pricing: Pricing, progress: Callable[[int, int], None] | None = None
) -> list[Segment]:
    """Return the segments of least value that cover ``operators``.

    Parameters
    ----------
    progress
        Called after every chain with the number of operators in segments so far and in all.
    """
    uses = Uses.of(operators)
    value = _share_of(operators, pricing)
    known: dict[Hashable, Segment | None] = {}

    def priced(chain: Chain, start: int, end: int) -> Segment | None:
        indices = chain.indices[start:end]
        if end - start > 1 and not legal(indices, operators, uses):
            return None
        members = _members(chain, start, end, operators, uses)
        key = tuple(member.signature for member in members)
        if key not in known:
            known[key] = best_way(members, pricing, value)
        way = known[key]
        return Segment(indices, way.costs, way.how) if way else None

    segments: list[Segment] = []
    covered = 0
    for chain in chains_of(operators, uses):
        segments += cut(chain, priced, value)
        covered += len(chain.indices)
        if progress:
            progress(covered, len(operators))
    return segments


def _share_of(operators: Sequence[Operator], pricing: Pricing) -> Value:
    costs = [(operator.count, pricing.alone(operator)) for operator in operators]
    energy_pj = math.fsum(count * cost.energy_pj for count, cost in costs) or 1.0
    latency_s = math.fsum(count * cost.latency_s for count, cost in costs) or 1.0

    def value(segment: Segment) -> float:
        return math.fsum(cost.energy_pj / energy_pj + cost.latency_s / latency_s for cost in segment.costs)

    return value


def fused_costs(
    operators: Sequence[Operator], pricing: Pricing, progress: Callable[[int, int], None] | None = None
) -> list[OperatorCost]:
    """Return the cost of every operator in the best fused schedule, in the order of ``operators``."""
    costs: dict[int, OperatorCost] = {}
    for segment in fuse_step(operators, pricing, progress):
        for index, cost in zip(segment.indices, segment.costs, strict=True):
            costs[index] = _told(index, cost, segment, operators, pricing) if segment.how else cost
    return [costs[index] for index in range(len(operators))]


def _told(
    index: int, cost: OperatorCost, segment: Segment, operators: Sequence[Operator], pricing: Pricing
) -> OperatorCost:
    others = ", ".join(operators[other].name for other in segment.indices if other != index)
    saved = pricing.alone(operators[index]).dram_bits - cost.dram_bits
    return cost.model_copy(update={"dram_bits_saved": saved, "note": f"{cost.note}; fused {segment.how} with {others}"})


def cut(chain: Chain, priced: Callable[[Chain, int, int], Segment | None], value: Value) -> list[Segment]:
    """Return the segments of least value that cover ``chain``."""
    best: list[tuple[float, list[Segment]]] = [(0.0, [])]
    for end in range(1, len(chain.indices) + 1):
        ways = []
        for start in range(max(0, end - LONGEST), end):
            segment = priced(chain, start, end)
            if segment is not None:
                least, before = best[start]
                ways.append((least + value(segment), [*before, segment]))
        best.append(min(ways, key=lambda way: way[0]))
    return best[-1][1]


def best_way(members: Sequence[Member], pricing: Pricing, value: Value) -> Segment | None:
    """Return the best way to run ``members`` together, None if there is none."""
    positions = tuple(range(len(members)))
    if len(members) == 1:
        return Segment(positions, (pricing.alone(members[0].operator),))
    ways = [Segment(positions, costs, how) for costs, how in _ways(members, pricing)]
    return min(ways, key=value, default=None)


def _ways(members: Sequence[Member], pricing: Pricing) -> Iterator[tuple[tuple[OperatorCost, ...], str]]:
    if all(is_pointwise(member.operator) for member in members[1:]):
        yield pricing.in_flight(members), "in flight"
    found = 0
    for tiling in _tilings(members):
        costs = [one for resident in (False, True) if (one := pricing.tiled(members, tiling, resident=resident))]
        how = f"in {tiling.tiles} tiles" if tiling.tiles > 1 else "whole"
        yield from ((cost, how) for cost in costs)
        found += bool(costs)
        if found == TRIED:
            return


def _tilings(members: Sequence[Member]) -> list[Tiling]:
    """Tilings that all members agree on."""
    operators = [member.operator for member in members]
    strict = [operator for operator in operators if not is_pointwise(operator)] or operators
    return [one for one in tilings_of(strict[0]) if all(agrees(operator, one) for operator in operators)]


def _members(chain: Chain, start: int, end: int, operators: Sequence[Operator], uses: Uses) -> list[Member]:
    indices = chain.indices[start:end]
    links = [None, *chain.links[start : end - 1], None]
    keeps = [link is not None and stored(link, indices, uses) for link in links]
    return [
        Member(operators[index], links[k], links[k + 1], stored=keeps[k + 1]) for k, index in enumerate(indices)
    ]
