"""Price of a contraction on a row-stationary chip: the best mapping, and everything the chip does in it as a charge."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hwsim.architecture.row_stationary_chip import RowStationaryChip
from hwsim.cost.accounting import Convention
from hwsim.cost.charges import access_charge, contraction_cost, operation_charge, side_operands
from hwsim.cost.result import Charge, OperatorCost
from hwsim.cost.row_stationary_chip import Activity, Floats, Layer, Zeros, activity
from hwsim.cost.systolic_pricing import refuse_published
from hwsim.cost.work import Work, work_of
from hwsim.errors import HwsimError, NoMappingError
from hwsim.mapping.lowering import convolution_nest, matrix_nest
from hwsim.mapping.row_stationary import Nest
from hwsim.mapping.row_stationary_chip import SMALLEST, ChipMapping, ChipMappings, check, on_strip, strips
from hwsim.technology import Technology
from hwsim.workload.operator import Operator


@dataclass(frozen=True)
class ChipCost:
    """One layer under one mapping."""

    mapping: ChipMapping
    activity: Activity
    charges: tuple[Charge, ...]

    @property
    def cycles(self) -> float:
        """Processing cycles."""
        return float(self.activity.cycles[0])

    @property
    def chip_pj(self) -> float:
        """Energy of the chip alone, without external memory."""
        return sum(charge.energy_pj for charge in self.charges if charge.component != "dram")


def layer_of(operator: Operator, nest: Nest, work: Work, chip: RowStationaryChip, zeros: Zeros) -> Layer:
    """Return ``operator``, of which ``nest`` is the geometry, as the chip meets it.

    Raises
    ------
    HwsimError
        If the primitive is not ``mac``, or a factor is wider than the chip's words.
    """
    if work.primitive != "mac":
        raise HwsimError(f"{chip.name} computes mac, not {work.primitive}")
    if work.factor_bits > chip.word_bits:
        raise HwsimError(f"{chip.name} has words of {chip.word_bits} bits, too narrow for {work.formats['mult']}")
    sides = tuple((operand.name, operand.elements) for operand in side_operands(operator))
    return Layer(nest, f"mac.{work.formats['mult']}", zeros, sides)


def cost_of(layer: Layer, mapping: ChipMapping, chip: RowStationaryChip, technology: Technology) -> ChipCost:
    """Cost one layer under a given mapping, which the caller has checked."""
    counted = activity(layer, ChipMappings.of(mapping), chip)
    return ChipCost(mapping, counted, tuple(_charges(layer, counted, chip, technology)))


def best_mapping(layer: Layer, chip: RowStationaryChip, technology: Technology) -> ChipMapping:
    """Return the mapping with the least product of energy and time, external memory included.

    Raises
    ------
    NoMappingError
        If not even the smallest mapping fits; the message names what it lacks.
    """
    try:
        check(layer.nest, SMALLEST, chip)
    except HwsimError as error:
        raise NoMappingError(f"no mapping fits {chip.name}: the smallest {error}") from error
    constant_pj = _computed(layer) * technology.coefficient(layer.operation).energy_pj()
    bounds = [(_least_product(layer, *strip, chip, technology), strip) for strip in strips(layer.nest)]
    least, best = math.inf, SMALLEST
    for bound, strip in sorted(bounds):
        if bound >= least:
            break
        candidates = on_strip(layer.nest, chip, *strip)
        if candidates is None:
            continue
        counted = activity(layer, candidates, chip)
        energy = constant_pj + _energy_pj(counted, chip, technology)
        products = energy * counted.total_cycles(chip.dram_bits_per_cycle)
        index = int(np.argmin(products))
        if products[index] < least:
            least, best = float(products[index]), candidates[index]
    return best


def _least_product(
    layer: Layer, rows: int, images: int, chip: RowStationaryChip, technology: Technology
) -> float:
    """What the product of energy and time cannot be below with strips of ``rows``: filters come again for each."""
    nest = layer.nest
    loads = math.ceil(nest.e / rows) * math.ceil(nest.n / images)
    filters = nest.repeats * nest.m * nest.c * nest.r * nest.s * loads
    cycles = layer.macs / chip.elements
    energy_pj = (
        _computed(layer) * technology.coefficient(layer.operation).energy_pj()
        + filters * technology.coefficient("global_buffer").energy_pj(chip.word_bits)
        + filters * technology.coefficient("dram").energy_pj(chip.word_bits)
        + cycles * technology.coefficient("clock").energy_pj()
    )
    return energy_pj * max(cycles, filters * chip.word_bits / chip.dram_bits_per_cycle)


def price_chip(
    operator: Operator, chip: RowStationaryChip, technology: Technology, convention: Convention
) -> OperatorCost:
    """Price one execution of ``operator`` under its best mapping, with the zeros that its operands are known to have.

    Raises
    ------
    HwsimError
        If the primitive is not ``mac``, a factor is wider than a word, the convention is one of analytic simulators,
        the technology lacks the operation at that format, or nothing fits.
    """
    refuse_published(convention, chip.name)
    work, zeros = work_of(operator, chip, convention), _zeros(operator)
    layer = layer_of(operator, convolution_nest(operator) or matrix_nest(operator), work, chip, zeros)
    try:
        mapping = best_mapping(layer, chip, technology)
    except NoMappingError:  # a kernel that is too large for a scratchpad, but runs as a matrix product
        layer = layer_of(operator, matrix_nest(operator), work, chip, zeros)
        mapping = best_mapping(layer, chip, technology)
    cost = cost_of(layer, mapping, chip, technology)
    link = chip.dram_bits_per_cycle
    return contraction_cost(
        operator, work, chip, list(cost.charges), mapping.model_dump(),
        compute_cycles=cost.cycles, dram_cycles=float(cost.activity.streamed_bits[0]) / link,
        awaited_cycles=float(cost.activity.awaited_bits[0]) / link,
        note="best row-stationary mapping; clock and leakage of the whole chip included",
    )  # fmt: skip


def _zeros(operator: Operator) -> Zeros:
    """Zeros of the image, which the array gates, and of the result; a gradient of the input has a gradient as image."""
    image = operator.operand("input")
    if image is operator.written:
        image = operator.operand("output")
    return Zeros(1 - image.density, 1 - operator.written.density)


def _computed(layer: Layer) -> float:
    """Multiply-accumulates that are not gated."""
    return layer.macs * (1 - layer.zeros.input)


def _energy_pj(counted: Activity, chip: RowStationaryChip, technology: Technology) -> Floats:
    word_pj = technology.coefficient("global_buffer").energy_pj(chip.word_bits)
    bit_pj = technology.coefficient("dram").energy_pj(1)
    cycle_pj = technology.coefficient("clock").energy_pj()
    total: Floats = counted.buffer_words * word_pj + counted.dram_bits * bit_pj + counted.cycles * cycle_pj
    return total


def _charges(layer: Layer, counted: Activity, chip: RowStationaryChip, technology: Technology) -> list[Charge]:
    bits = chip.word_bits
    sides = zip(layer.sides, counted.side_words, strict=True)
    moved = (
        ("input", counted.input_words, counted.dram_input_bits),
        ("weight", counted.filter_words, counted.dram_filter_bits),
        ("output", counted.psum_words, counted.dram_output_bits),
        *((name, words, words * bits) for (name, _), words in sides),
    )
    return [
        operation_charge(layer.operation, _computed(layer), technology),
        operation_charge("clock", float(counted.cycles[0]), technology),
        *(access_charge("global_buffer", name, float(words[0]), bits, technology) for name, words, _ in moved),
        *(access_charge("dram", name, float(total[0]) / bits, bits, technology) for name, _, total in moved),
    ]
