"""Price of a contraction on a systolic array: exact cycles, and the traffic of its folds.

Every fold reads what streams through it and what it holds once from SRAM, and writes results or partial sums, which
the next fold of the same results reads back. Partial sums stay on chip: what streams is cut into chunks whose sums
fit. Results cross the DRAM once, and so does a factor of which the SRAM holds what is used again; otherwise it comes
again with every pass. Registers between elements, filling the SRAMs and the cycles in which a stationary block is
loaded again for another chunk are not charged.
"""

from __future__ import annotations

import math

from hwsim.architecture import Systolic
from hwsim.architecture.systolic import SRAM_BITS_PER_KIB, Sram
from hwsim.cost.accounting import Convention
from hwsim.cost.charges import access_charge, compute_charges, contraction_cost, side_charges, side_operands
from hwsim.cost.result import OperatorCost
from hwsim.cost.systolic import Run
from hwsim.cost.work import Work, work_of
from hwsim.errors import HwsimError
from hwsim.mapping.lowering import Product, matrix_product
from hwsim.technology import Technology
from hwsim.workload.operator import Operand, Operator

Access = tuple[str, int, int]
"""Operand, words and their width in bits."""


def price_systolic(
    operator: Operator, architecture: Systolic, technology: Technology, convention: Convention
) -> OperatorCost:
    """Price one execution of ``operator`` as a matrix product (im2col).

    Raises
    ------
    HwsimError
        If the array lacks the primitive, the convention is one of row-stationary arrays, or the technology lacks a
        coefficient.
    """
    refuse_published(convention, architecture.name)
    work = work_of(operator, architecture, convention)
    if work.primitive not in architecture.primitives:
        offered = " or ".join(architecture.primitives)
        raise HwsimError(f"{architecture.name} computes {offered}, not {work.primitive}")
    product = matrix_product(operator)
    run = Run(product.m, product.k, product.n, architecture.rows, architecture.columns, architecture.dataflow)
    written = operator.written
    sram = _sram_traffic(product, run, work, written.name)
    dram = [] if work.on_chip else _dram_traffic(product, run, work, written, architecture.sram)
    charges = compute_charges(operator, work, technology)
    charges += [access_charge("global_buffer", *one, technology) for one in sram]
    charges += [access_charge("dram", *one, technology) for one in dram]
    charges += side_charges(operator, work, architecture, technology)
    dram_bits = sum(words * bits for _, words, bits in dram)
    dram_bits += sum(operand.bits for operand in side_operands(operator))
    mapping = {
        "m": run.m, "k": run.k, "n": run.n, "row_folds": run.row_folds, "column_folds": run.column_folds,
        "cycles_per_fold": run.cycles_per_fold, "cycles": run.cycles * product.repeats, "repeats": product.repeats,
    }  # fmt: skip
    return contraction_cost(
        operator, work, architecture, charges, mapping,
        compute_cycles=run.cycles * product.repeats, dram_cycles=dram_bits / architecture.dram_bits_per_cycle,
        note=f"{run.dataflow}, {run.utilisation:.1%} of the array busy",
    )  # fmt: skip


def refuse_published(convention: Convention, name: str) -> None:
    """Raise `HwsimError` for a convention that reproduces a paper's row-stationary simulator."""
    if convention.contractions_only:
        raise HwsimError(f"accounting {convention.name} is about row-stationary arrays; {name} needs operator")


def _sram_traffic(product: Product, run: Run, work: Work, written: str) -> list[Access]:
    """Every fold reads its streaming and its stationary operand once; sums are read back to be added to."""
    first, second = product.first.name, product.second.name
    return [
        (first, run.input_reads * product.repeats, work.memory_bits[first]),
        (second, run.weight_reads * product.repeats, work.memory_bits[second]),
        (written, (run.output_writes + run.output_reads) * product.repeats, work.partial_sum_bits),
    ]


def _dram_traffic(product: Product, run: Run, work: Work, written: Operand, sram: Sram) -> list[Access]:
    """Every operand once, and again for every further pass over what its SRAM does not hold."""
    chunks = _chunks(run, work, sram)
    first, second = product.first.elements // product.repeats, product.second.elements // product.repeats
    block = run.k * min(run.columns, run.n)
    held_and_passes = {
        "os": ((first, run.column_folds), (block, run.row_folds)),
        "ws": ((first // chunks, run.column_folds), (second, chunks)),
        "is": ((first, chunks), (second // chunks, run.column_folds)),
    }[run.dataflow]
    traffic = []
    factors = ((product.first, sram.input_kib), (product.second, sram.weight_kib))
    for (operand, kib), (held, passes) in zip(factors, held_and_passes, strict=True):
        bits = work.memory_bits[operand.name]
        fits = held * bits <= kib * SRAM_BITS_PER_KIB
        traffic.append((operand.name, operand.elements * (1 if fits else passes), bits))
    return [*traffic, (written.name, written.elements, work.memory_bits[written.name])]


def _chunks(run: Run, work: Work, sram: Sram) -> int:
    """Parts of the streaming dimension whose partial sums the memory of sums holds one at a time."""
    if run.output_passes == 1:
        return 1
    _, stationary_columns, streamed = run.stationary
    sums_bits = min(run.columns, stationary_columns) * streamed * work.partial_sum_bits
    return min(streamed, math.ceil(sums_bits / (sram.output_kib * SRAM_BITS_PER_KIB)))
