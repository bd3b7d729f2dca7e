"""Price of a contraction on a row-stationary architecture."""

from __future__ import annotations

from collections.abc import Mapping

from hwsim.architecture import Architecture
from hwsim.cost.accounting import Convention, Operation
from hwsim.cost.result import Charge, OperatorCost
from hwsim.cost.row_stationary import TRAFFIC, Choice, Traffic, best_tiling
from hwsim.cost.streaming import stream_charges
from hwsim.cost.work import Work, work_of
from hwsim.errors import HwsimError
from hwsim.mapping.lowering import convolution_nest, matrix_nest
from hwsim.mapping.row_stationary import Nest, why_none
from hwsim.technology import Technology
from hwsim.workload.operator import MAIN_OPERANDS, Operand, Operator


def price_contraction(
    operator: Operator, architecture: Architecture, technology: Technology, convention: Convention
) -> OperatorCost:
    """Map ``operator`` with the least objective and price one execution of it.

    Raises
    ------
    HwsimError
        If no tiling fits, the convention has no rule for its primitive or width, or the technology lacks a
        coefficient; the message names the limit.
    """
    work = work_of(operator, architecture, convention)
    operation_pj = {
        operation: technology.coefficient(_key(operation, work)).energy_pj()
        for operation in work.rule.operations
    }
    word_pj = tuple(
        technology.coefficient(access.coefficient).energy_pj(_bits(access, work)) if _charged(access, work) else 0.0
        for access in TRAFFIC
    )
    nest, choice = _map(operator, work, word_pj, operation_pj, architecture, convention)
    charges = [
        Charge(component="compute", operand="", coefficient=_key(operation, work), times=operator.macs * times,
               energy_pj=operator.macs * times * operation_pj[operation])
        for operation, times in work.rule.operations.items()
    ]  # fmt: skip
    charges += [
        Charge(component=access.component, operand=access.operand, coefficient=access.coefficient,
               times=words * nest.repeats, bits=_bits(access, work), energy_pj=words * nest.repeats * energy)
        for access, words, energy in zip(TRAFFIC, choice.accesses, word_pj, strict=True)
        if _charged(access, work)
    ]  # fmt: skip
    compute_cycles, dram_cycles = choice.compute_cycles * nest.repeats, choice.dram_cycles * nest.repeats
    if not convention.contractions_only:
        charges += _side_charges(operator, work, technology)
        dram_cycles += sum(operand.bits for operand in _side(operator)) / architecture.dram_bits_per_cycle
    return OperatorCost(
        name=operator.name, module=operator.module, source=operator.source, phase=operator.phase,
        primitive=work.primitive, count=operator.count, macs=operator.macs, bits_moved=operator.bits_moved,
        energy_pj=sum(charge.energy_pj for charge in charges),
        latency_s=max(compute_cycles, dram_cycles) / architecture.clock_hz,
        bound="dram" if dram_cycles > compute_cycles else "compute",
        charges=tuple(charges), mapping=dict(choice.factors) | {"repeats": nest.repeats},
        note=f"best of {choice.searched} tilings",
    )  # fmt: skip


def _map(
    operator: Operator,
    work: Work,
    word_pj: tuple[float, ...],
    operation_pj: Mapping[Operation, float],
    architecture: Architecture,
    convention: Convention,
) -> tuple[Nest, Choice]:
    bandwidth = None
    if convention.dram_bandwidth and not work.on_chip:
        per_word = [architecture.dram_bits_per_cycle / work.memory_bits[name] for name in MAIN_OPERANDS]
        bandwidth = (per_word[0], per_word[1], per_word[2])
    point_pj = sum(times * operation_pj[operation] for operation, times in work.rule.operations.items())
    reason = "the accounting convention maps forward products and convolutions only"
    for nest in _nests(operator, convention):
        compute_pj = operator.macs / nest.repeats * point_pj
        choice = best_tiling(nest, work.limits, word_pj, compute_pj, work.rule.latency_divisor, bandwidth)
        if choice is not None:
            return nest, choice
        reason = why_none(nest, work.limits)
    raise HwsimError(f"no tiling fits {architecture.name}: {reason}")


def _nests(operator: Operator, convention: Convention) -> list[Nest]:
    """Nests to try in turn: its own geometry, then the matrix product, which every contraction is."""
    own = convolution_nest(operator, fold_groups=convention.fold_groups)
    other = [] if convention.contractions_only else [matrix_nest(operator)]
    return ([own] if own else []) + other


def _key(operation: Operation, work: Work) -> str:
    return f"{'add' if operation == 'accumulate' else operation}.{work.formats[operation]}"


def _bits(access: Traffic, work: Work) -> int:
    is_partial_sum = access.operand == "output" and access.component != "dram"
    return work.partial_sum_bits if is_partial_sum else work.memory_bits[access.operand]


def _charged(access: Traffic, work: Work) -> bool:
    return not work.on_chip or access.component == "register_file" or access.coefficient == "network_psum"


def _side(operator: Operator) -> list[Operand]:
    return [operand for operand in operator.operands if operand.name not in MAIN_OPERANDS]


def _side_charges(operator: Operator, work: Work, technology: Technology) -> list[Charge]:
    """Operands beside the main three, such as a bias: streamed once and added to every result."""
    side = _side(operator)
    if not side:
        return []
    key = f"add.{work.formats['accumulate']}"
    additions = operator.written.elements * len(side)
    energy_pj = additions * technology.coefficient(key).energy_pj()
    bias = Charge(component="compute", operand=side[0].name, coefficient=key, times=additions, energy_pj=energy_pj)
    return [bias, *stream_charges(side, technology)]
