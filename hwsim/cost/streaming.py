"""Price of an operator that is no contraction: vector work, and its operands' flows through the memories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set

from hwsim import formats
from hwsim.architecture import Architecture
from hwsim.architecture.base import StreamLevel, in_rows
from hwsim.cost.flows import Flow, flows_of, streamed
from hwsim.cost.gather import gather_flows
from hwsim.cost.result import Charge, OperatorCost
from hwsim.technology import Technology
from hwsim.workload.operator import Operand, Operator
from hwsim.workload.workload import SkippedOperator


def price_stream(
    operator: Operator, architecture: Architecture, technology: Technology, on_chip: Set[int] = frozenset()
) -> OperatorCost:
    """Price one execution: one elementary operation per lane and cycle, or a memory's bandwidth.

    Parameters
    ----------
    on_chip
        Positions of operands that layer fusion keeps from the external memory.
    """
    operations = {
        f"{operation}.{_working_format(operator)}": times * operator.points
        for operation, times in operator.arithmetic.items()
        if times
    }
    flows = (gather_flows if operator.primitive == "gather" else flows_of)(operator, architecture)
    flows = [
        flow._replace(words=(0.0, *flow.words[1:])) if position in on_chip else flow
        for position, flow in enumerate(flows)
    ]
    note = "memory traffic only: no network model" if operator.primitive == "comm" else _note(operator, flows)
    return vector_cost(operator, operations, flows, architecture, technology, note=note)


def vector_cost(
    operator: Operator,
    operations: Mapping[str, float],
    flows: Sequence[Flow],
    architecture: Architecture,
    technology: Technology,
    *,
    note: str,
) -> OperatorCost:
    """Price ``operations`` (by coefficient) on the vector lanes beside ``flows``; the slowest of all is the latency."""
    charges = [
        Charge(component="compute", operand="", coefficient=key, times=times,
               energy_pj=times * technology.coefficient(key).energy_pj())
        for key, times in operations.items()
    ]  # fmt: skip
    charges += flow_charges(flows, architecture, technology)
    cycles = {"compute": sum(operations.values()) / architecture.vector_lanes}
    for k, level in enumerate(architecture.stream_levels):
        moved = sum(flow.words[k] * in_rows(flow.bits, level.row_bits) for flow in flows)
        bandwidth = min(level.bits_per_cycle, architecture.dram_bits_per_cycle if k == 0 else level.bits_per_cycle)
        cycles[level.component] = max(cycles.get(level.component, 0.0), moved / bandwidth)
    bound = max(cycles, key=lambda name: cycles[name])
    return OperatorCost(
        name=operator.name, module=operator.module, source=operator.source, phase=operator.phase,
        primitive=operator.primitive, count=operator.count, macs=operator.macs, bits_moved=operator.bits_moved,
        energy_pj=sum(charge.energy_pj for charge in charges), latency_s=cycles[bound] / architecture.clock_hz,
        bound=bound, charges=tuple(charges), note=note,
    )  # fmt: skip


def not_priced(operator: Operator, reason: str) -> OperatorCost:
    """The entry of an operator that the accounting convention or the architecture has no price for."""
    return OperatorCost(
        name=operator.name, module=operator.module, source=operator.source, phase=operator.phase,
        primitive=operator.primitive, count=operator.count, macs=0, bits_moved=operator.bits_moved,
        covered=False, energy_pj=0.0, latency_s=0.0, charges=(), note=reason,
    )  # fmt: skip


def skipped(operator: SkippedOperator, count: int) -> OperatorCost:
    """The entry of an operator that the trace left out because nothing is known about it."""
    return OperatorCost(
        name=operator.name, module=operator.module, source=operator.source, phase=operator.phase,
        primitive="unknown", count=count, macs=0, bits_moved=operator.bits, covered=False,
        energy_pj=0.0, latency_s=0.0, charges=(), note="skipped by the trace: hwsim has no rule for it",
    )  # fmt: skip


def stream_charges(
    operands: Iterable[Operand], architecture: Architecture, technology: Technology
) -> list[Charge]:
    """One access of every element of ``operands`` at every level that streams pass, at the width of its format."""
    return flow_charges([streamed(operand, architecture) for operand in operands], architecture, technology)


def flow_charges(flows: Iterable[Flow], architecture: Architecture, technology: Technology) -> list[Charge]:
    """What the words of every flow cost at every level."""
    return [
        _charge(flow, level, words * level.hops, technology)
        for flow in flows
        for level, words in zip(architecture.stream_levels, flow.words, strict=True)
    ]


def _charge(flow: Flow, level: StreamLevel, times: float, technology: Technology) -> Charge:
    bits = in_rows(flow.bits, level.row_bits)
    return Charge(
        component=level.component, node=level.node, operand=flow.operand, coefficient=level.coefficient, times=times,
        bits=bits, energy_pj=times * technology.coefficient(level.coefficient).energy_pj(bits),
    )  # fmt: skip


def _note(operator: Operator, flows: Sequence[Flow]) -> str:
    if operator.primitive == "gather":
        return "row by row"
    elements = [operand.elements for operand in operator.operands]
    repeated = any(flow.words[0] > once for flow, once in zip(flows, elements, strict=True))
    return "read more than once: does not fit on chip" if repeated else "streamed once"


def _working_format(operator: Operator) -> str:
    """Widest floating-point format read (of the result if none is), or else the widest integer format."""
    used = [formats.parse(o.format) for o in operator.operands if o.access == "read"]
    used = used or [formats.parse(o.format) for o in operator.operands]
    floating = [format_ for format_ in used if format_.kind == "fp"]
    widest = max(floating or used, key=lambda format_: format_.bits)
    return "int8" if widest.kind == "bool" else widest.name
