"""Price of a contraction on BitFusion: the published cycles, and energy from the published synthesis and CACTI tables.

Every fusion unit pays the energy of a cycle in every cycle, whatever the widths, as in the authors' simulator. Weights
come from the unit's own bank for every product, inputs from their row's bank once per window and group of output
channels, partial sums go to and from their column's bank once per window and group of input channels. The DRAM moves
every operand once, which is a lower bound: the published simulator searches tilings instead. Leakage and filling the
buffers are not charged.
"""

from __future__ import annotations

from hwsim import formats
from hwsim.architecture import BitFusion
from hwsim.cost.accounting import Convention
from hwsim.cost.bitfusion import Layer, products_per_unit
from hwsim.cost.charges import access_charge, contraction_cost, operation_charge
from hwsim.cost.result import OperatorCost
from hwsim.cost.systolic_pricing import refuse_published
from hwsim.cost.work import Work, work_of
from hwsim.errors import HwsimError
from hwsim.mapping.lowering import convolution_nest, matrix_product
from hwsim.technology import Technology
from hwsim.workload.operator import Operand, Operator

INTEGERS = frozenset({"int", "uint"})


def price_bitfusion(
    operator: Operator, architecture: BitFusion, technology: Technology, convention: Convention
) -> OperatorCost:
    """Price one execution of ``operator``.

    Raises
    ------
    HwsimError
        If a factor is no integer or too wide, the primitive is not ``mac``, the convention is one of row-stationary
        arrays, or the technology lacks a coefficient.
    """
    refuse_published(convention, architecture.name)
    work = work_of(operator, architecture, convention)
    if work.primitive != "mac":
        raise HwsimError(f"{architecture.name} computes mac, not {work.primitive}")
    layer, repeats, first, second = _layer(operator)
    products = _products(work, (first, second), architecture)
    cycles = repeats * layer.cycles(rows=architecture.rows, columns=architecture.columns, products=products)
    buffers = _buffer_traffic(layer, work, (first, second, operator.written), architecture, products)
    moved = [] if work.on_chip else [(o.name, o.elements, _memory_bits(o, work)) for o in operator.operands]
    charges = [operation_charge("fusion_unit", cycles * architecture.elements, technology)]
    charges += [
        access_charge("global_buffer", name, words * repeats, bits, technology, coefficient)
        for name, coefficient, words, bits in buffers
    ]
    charges += [access_charge("dram", *one, technology) for one in moved]
    dram_bits = sum(words * bits for _, words, bits in moved)
    return contraction_cost(
        operator, work, architecture, charges, {"products_per_unit": products, "cycles": cycles, "repeats": repeats},
        compute_cycles=cycles, dram_cycles=dram_bits / architecture.dram_bits_per_cycle,
        note=f"{operator.macs / (cycles * architecture.elements * products):.1%} of the multipliers busy",
    )  # fmt: skip


def _layer(operator: Operator) -> tuple[Layer, int, Operand, Operand]:
    """The layer, how often it repeats, and the operands in the roles of input and weight."""
    product = matrix_product(operator)
    nest = convolution_nest(operator)
    if nest is None:
        layer = Layer(product.m, product.n, product.k)
        return layer, product.repeats, product.first, product.second
    layer = Layer(nest.n, nest.m, nest.c, nest.e, nest.f, nest.r, nest.s)
    return layer, nest.repeats, product.first, product.second


def _products(work: Work, factors: tuple[Operand, Operand], architecture: BitFusion) -> int:
    used = [work.operand_formats[factor.name] for factor in factors]
    for format_, factor in zip(used, factors, strict=True):
        if format_.kind not in INTEGERS:
            raise HwsimError(f"{architecture.name} multiplies integers; operand {factor.name} is {format_.name}")
    return products_per_unit(
        used[0].bits, used[1].bits, max_bits=architecture.max_bits, min_bits=architecture.min_bits
    )


def _buffer_traffic(
    layer: Layer, work: Work, operands: tuple[Operand, Operand, Operand], architecture: BitFusion, products: int
) -> list[tuple[str, str, int, int]]:
    """Operand, coefficient, words and width of what one layer moves between buffers and units."""
    first, second, written = (operand.name for operand in operands)
    inputs = layer.windows * layer.in_channels * layer.column_tiles(architecture.columns)
    weights = layer.windows * layer.in_channels * layer.out_channels
    sums = layer.windows * layer.row_tiles(architecture.rows * products) * layer.out_channels
    results = layer.batch * layer.out_rows * layer.out_columns * layer.out_channels
    return [
        (first, "input_buffer", inputs, work.memory_bits[first]),
        (second, "weight_buffer", weights, work.memory_bits[second]),
        (written, "output_buffer_write", sums, work.partial_sum_bits),
        (written, "output_buffer_read", sums - results, work.partial_sum_bits),
    ]


def _memory_bits(operand: Operand, work: Work) -> int:
    return work.memory_bits.get(operand.name) or formats.parse(operand.format).bits
