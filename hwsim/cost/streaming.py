"""Price of an operator that is no contraction: every operand streams once through the levels."""

from __future__ import annotations

from collections.abc import Iterable

from hwsim import formats
from hwsim.architecture import Architecture
from hwsim.cost.result import Charge, OperatorCost
from hwsim.technology import Technology
from hwsim.workload.operator import Operand, Operator
from hwsim.workload.workload import SkippedOperator


def price_stream(operator: Operator, architecture: Architecture, technology: Technology) -> OperatorCost:
    """Price one execution: one operation per element and cycle, or the external memory's bandwidth."""
    operations = {
        f"{operation}.{_working_format(operator)}": times * operator.points
        for operation, times in operator.arithmetic.items()
        if times
    }
    charges = [
        Charge(component="compute", operand="", coefficient=key, times=times,
               energy_pj=times * technology.coefficient(key).energy_pj())
        for key, times in operations.items()
    ]  # fmt: skip
    charges += stream_charges(operator.operands, architecture, technology)
    compute_cycles = sum(operations.values()) / architecture.vector_lanes
    dram_cycles = operator.bits_moved / architecture.dram_bits_per_cycle
    return OperatorCost(
        name=operator.name, module=operator.module, source=operator.source, phase=operator.phase,
        primitive=operator.primitive, count=operator.count, macs=0, bits_moved=operator.bits_moved,
        energy_pj=sum(charge.energy_pj for charge in charges),
        latency_s=max(compute_cycles, dram_cycles) / architecture.clock_hz,
        bound="dram" if dram_cycles > compute_cycles else "compute", charges=tuple(charges),
        note="memory traffic only: no network model" if operator.primitive == "comm" else "streamed once",
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
    charges = []
    for operand in operands:
        bits = formats.parse(operand.format).bits
        for level, key in architecture.stream_levels:
            energy_pj = operand.elements * technology.coefficient(key).energy_pj(bits)
            charges.append(
                Charge(component=level, operand=operand.name, coefficient=key, times=operand.elements,
                       bits=bits, energy_pj=energy_pj)
            )  # fmt: skip
    return charges


def _working_format(operator: Operator) -> str:
    """Widest floating-point format read (of the result if none is), or else the widest integer format."""
    used = [formats.parse(o.format) for o in operator.operands if o.access == "read"]
    used = used or [formats.parse(o.format) for o in operator.operands]
    floating = [format_ for format_ in used if format_.kind == "fp"]
    widest = max(floating or used, key=lambda format_: format_.bits)
    return "int8" if widest.kind == "bool" else widest.name
