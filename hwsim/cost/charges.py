"""Lines of a bill that contractions on every kind of array share."""

from __future__ import annotations

from hwsim.architecture import Architecture
from hwsim.cost.accounting import Operation
from hwsim.cost.result import Charge, Component, OperatorCost
from hwsim.cost.streaming import stream_charges
from hwsim.cost.work import Work
from hwsim.technology import Technology
from hwsim.workload.operator import MAIN_OPERANDS, Operand, Operator


def operation_key(operation: Operation, work: Work) -> str:
    """Name of the coefficient that prices ``operation``."""
    if operation == "element":
        return f"pe.{work.primitive}.{work.formats[operation]}"
    return f"{'add' if operation == 'accumulate' else operation}.{work.formats[operation]}"


def compute_charges(
    operator: Operator, work: Work, technology: Technology, *, share: float = 1.0
) -> list[Charge]:
    """Every operation of every point, or of a share of them."""
    return [
        operation_charge(operation_key(operation, work), operator.macs * share * times, technology)
        for operation, times in work.rule.operations.items()
    ]


def operation_charge(coefficient: str, times: float, technology: Technology) -> Charge:
    """``times`` operations of one kind."""
    energy_pj = times * technology.coefficient(coefficient).energy_pj()
    return Charge(component="compute", operand="", coefficient=coefficient, times=times, energy_pj=energy_pj)


def access_charge(
    component: Component, operand: str, words: float, bits: float, technology: Technology, coefficient: str = "",
    node: str = "",
) -> Charge:  # fmt: skip
    """``words`` accesses of ``bits`` bits each, at a coefficient that is called as the component unless given."""
    coefficient = coefficient or component
    energy_pj = words * technology.coefficient(coefficient).energy_pj(bits)
    return Charge(
        component=component, node=node, operand=operand, coefficient=coefficient, times=words, bits=bits,
        energy_pj=energy_pj,
    )  # fmt: skip


def side_operands(operator: Operator) -> list[Operand]:
    """Operands beside the main three, such as a bias."""
    return [operand for operand in operator.operands if operand.name not in MAIN_OPERANDS]


def side_charges(
    operator: Operator, work: Work, architecture: Architecture, technology: Technology
) -> list[Charge]:
    """Operands beside the main three: streamed once and added to every result."""
    side = side_operands(operator)
    if not side:
        return []
    key = f"add.{work.formats['accumulate']}"
    additions = operator.written.elements * len(side)
    energy_pj = additions * technology.coefficient(key).energy_pj()
    bias = Charge(component="compute", operand=side[0].name, coefficient=key, times=additions, energy_pj=energy_pj)
    return [bias, *stream_charges(side, architecture, technology)]


def contraction_cost(
    operator: Operator,
    work: Work,
    architecture: Architecture,
    charges: list[Charge],
    mapping: dict[str, int],
    *,
    compute_cycles: float,
    dram_cycles: float,
    awaited_cycles: float = 0.0,
    note: str,
) -> OperatorCost:
    """One execution's cost: what is charged, and the slower of array and external memory.

    Parameters
    ----------
    awaited_cycles
        Cycles of the external memory for which the array waits, on top.
    """
    return OperatorCost(
        name=operator.name, module=operator.module, source=operator.source, phase=operator.phase,
        primitive=work.primitive, count=operator.count, macs=operator.macs, bits_moved=operator.bits_moved,
        energy_pj=sum(charge.energy_pj for charge in charges),
        latency_s=(max(compute_cycles, dram_cycles) + awaited_cycles) / architecture.clock_hz,
        bound="dram" if dram_cycles + awaited_cycles > compute_cycles else "compute",
        charges=tuple(charges), mapping=mapping, note=note,
    )  # fmt: skip
