"""Price of a contraction on a row-stationary architecture."""

from __future__ import annotations

from collections.abc import Mapping

from hwsim.architecture import RowStationary
from hwsim.cost.accounting import Convention, Operation
from hwsim.cost.charges import (
    access_charge,
    compute_charges,
    contraction_cost,
    operation_key,
    side_charges,
    side_operands,
)
from hwsim.cost.result import OperatorCost
from hwsim.cost.row_stationary import TRAFFIC, Choice, Traffic, best_tiling
from hwsim.cost.work import Work, work_of
from hwsim.errors import HwsimError
from hwsim.mapping.lowering import convolution_nest, matrix_nest
from hwsim.mapping.row_stationary import Limits, Nest, why_none
from hwsim.technology import Technology
from hwsim.workload.operator import MAIN_OPERANDS, Operator


def price_contraction(
    operator: Operator, architecture: RowStationary, technology: Technology, convention: Convention
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
        operation: technology.coefficient(operation_key(operation, work)).energy_pj()
        for operation in work.rule.operations
    }
    word_pj = tuple(
        technology.coefficient(access.coefficient).energy_pj(_bits(access, work)) if _charged(access, work) else 0.0
        for access in TRAFFIC
    )
    nest, choice = _map(operator, work, word_pj, operation_pj, architecture, convention)
    charges = compute_charges(operator, work, technology)
    charges += [
        access_charge(access.component, access.operand, words * nest.repeats, _bits(access, work), technology,
                      access.coefficient)
        for access, words in zip(TRAFFIC, choice.accesses, strict=True)
        if _charged(access, work)
    ]  # fmt: skip
    compute_cycles, dram_cycles = choice.compute_cycles * nest.repeats, choice.dram_cycles * nest.repeats
    if not convention.contractions_only:
        charges += side_charges(operator, work, architecture, technology)
        dram_cycles += sum(operand.bits for operand in side_operands(operator)) / architecture.dram_bits_per_cycle
    return contraction_cost(
        operator, work, architecture, charges, dict(choice.factors) | {"repeats": nest.repeats},
        compute_cycles=compute_cycles, dram_cycles=dram_cycles, note=f"best of {choice.searched} tilings",
    )  # fmt: skip


def _map(
    operator: Operator,
    work: Work,
    word_pj: tuple[float, ...],
    operation_pj: Mapping[Operation, float],
    architecture: RowStationary,
    convention: Convention,
) -> tuple[Nest, Choice]:
    bandwidth = None
    if convention.dram_bandwidth and not work.on_chip:
        per_word = [architecture.dram_bits_per_cycle / work.memory_bits[name] for name in MAIN_OPERANDS]
        bandwidth = (per_word[0], per_word[1], per_word[2])
    point_pj = sum(times * operation_pj[operation] for operation, times in work.rule.operations.items())
    limits = _limits(architecture, convention, work.factor_bits)
    reason = "the accounting convention maps forward products and convolutions only"
    for nest in _nests(operator, convention):
        compute_pj = operator.macs / nest.repeats * point_pj
        choice = best_tiling(nest, limits, word_pj, compute_pj, work.rule.latency_divisor, bandwidth)
        if choice is not None:
            return nest, choice
        reason = why_none(nest, limits)
    raise HwsimError(f"no tiling fits {architecture.name}: {reason}")


def _nests(operator: Operator, convention: Convention) -> list[Nest]:
    """Nests to try in turn: its own geometry, then the matrix product, which every contraction is."""
    own = convolution_nest(operator, fold_groups=convention.fold_groups)
    other = [] if convention.contractions_only else [matrix_nest(operator)]
    return ([own] if own else []) + other


def _bits(access: Traffic, work: Work) -> int:
    is_partial_sum = access.operand == "output" and access.component != "dram"
    return work.partial_sum_bits if is_partial_sum else work.memory_bits[access.operand]


def _charged(access: Traffic, work: Work) -> bool:
    return not work.on_chip or access.component == "register_file" or access.coefficient == "network_psum"


def _limits(architecture: RowStationary, convention: Convention, bits: int) -> Limits:
    narrow = architecture.narrow_mode
    narrow = narrow if narrow and bits <= narrow.bits else None
    words = narrow.words_factor if narrow else 1
    elements = narrow.elements_factor if narrow else 1
    registers = architecture.register_file
    return Limits(
        processing_elements=(convention.processing_elements or architecture.processing_elements) * elements,
        input_words=registers.input_words * words,
        weight_words=registers.weight_words * words,
        output_words=registers.output_words * words,
        buffer_words=architecture.global_buffer_words * words,
        strict=convention.strict_capacity,
        spread_rows=convention.spread_rows,
        unfiltered_outputs_above=convention.unfiltered_outputs_above,
    )
