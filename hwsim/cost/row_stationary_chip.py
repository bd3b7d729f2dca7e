"""What a row-stationary chip does in a layer: cycles, words through the global buffer, bits of external memory.

A layer runs in processing passes: the array holds ``p * t`` filters of ``q * r`` channels and makes ``e`` output rows
of ``n`` images from them. A pass takes as long as the slowest of its computation and its ports; before it come the
loading of its filters and of the first windows of input, after it the last partial sums ripple up a column. Results
begin with what is added to them: values per filter arrive with the filters, others like partial sums.

The buffer of filters is filled for the next pass while one is processed, so filters take time only if the link to the
external memory is slower than the array. The global buffer holds one copy of everything: the chip waits for feature
maps. Nothing here is fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.architecture.row_stationary_chip import RowStationaryChip
from hwsim.mapping.row_stationary import Nest
from hwsim.mapping.row_stationary_chip import ChipMappings, Integers, patch_columns, patch_rows

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Zeros:
    """Shares of zeros that the chip meets, and whether it reads the raw input of a network."""

    input: float = 0.0
    output: float = 0.0
    raw_input: bool = False


@dataclass(frozen=True)
class Layer:
    """A contraction as the chip meets it."""

    nest: Nest
    operation: str
    """Coefficient of a multiply-accumulate."""
    zeros: Zeros = Zeros()
    sides: tuple[tuple[str, int], ...] = ()
    """Name and words of what is added to the results, such as a bias."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates, those with a zero included."""
        nest = self.nest
        return nest.repeats * nest.n * nest.m * nest.c * nest.e * nest.f * nest.r * nest.s


@dataclass(frozen=True)
class Activity:
    """Totals of one layer for every mapping, shape (count,) each."""

    cycles: Floats
    """Processing: external memory is assumed to keep up."""
    input_words: Floats
    """Words from the global buffer, and so on."""
    filter_words: Floats
    psum_words: Floats
    side_words: tuple[Floats, ...]
    """Of each operand that is added to the results, from the external memory too."""
    dram_input_bits: Floats
    dram_filter_bits: Floats
    dram_side_bits: Floats
    dram_output_bits: Floats

    @property
    def buffer_words(self) -> Floats:
        """Words through the global buffer in both directions."""
        return sum(self.side_words, self.input_words + self.filter_words + self.psum_words)

    @property
    def dram_bits(self) -> Floats:
        """Bits through the link to the external memory."""
        return self.streamed_bits + self.awaited_bits

    @property
    def streamed_bits(self) -> Floats:
        """Those of them that arrive while the array works."""
        return self.dram_filter_bits + self.dram_side_bits

    @property
    def awaited_bits(self) -> Floats:
        """Those that the array waits for."""
        return self.dram_input_bits + self.dram_output_bits

    def total_cycles(self, link_bits_per_cycle: float) -> Floats:
        """Cycles of a layer, external memory included."""
        streamed = self.streamed_bits / link_bits_per_cycle
        return np.maximum(self.cycles, streamed) + self.awaited_bits / link_bits_per_cycle


def activity(layer: Layer, t: ChipMappings, chip: RowStationaryChip) -> Activity:
    """Count one layer under every mapping of ``t``."""
    nest, zeros = layer.nest, layer.zeros
    groups_of_filters, groups_of_images = -(-nest.m // (t.p * t.t)), -(-nest.n // t.n)
    groups_of_channels = -(-nest.c // (t.q * t.r))
    strips = -(-nest.e // t.e)
    last = nest.e - (strips - 1) * t.e
    passes = nest.repeats * groups_of_filters * groups_of_images * groups_of_channels
    cycles = passes * ((strips - 1) * _pass_cycles(nest, t, chip, t.e) + _pass_cycles(nest, t, chip, last))
    results = nest.repeats * nest.n * nest.m * nest.e * nest.f
    sides = [_side_words(nest, words, strips * groups_of_images) for _, words in layer.sides]
    per_filter = sum(words <= nest.repeats * nest.m for _, words in layer.sides)
    loads = nest.repeats * groups_of_filters * groups_of_images * strips * t.p * t.t
    cycles = cycles + per_filter * loads * chip.word_bits / chip.ports.filter_bits
    rows = (strips - 1) * patch_rows(nest, t.e) + patch_rows(nest, last)
    images = nest.repeats * nest.n * nest.c
    filters = (nest.repeats * nest.m * nest.c * nest.r * nest.s * strips * groups_of_images).astype(np.float64)
    value_bits, coding = chip.word_bits, chip.run_length
    input_bits = value_bits if zeros.raw_input else coding.bits_per_value(zeros.input, value_bits)
    stored_rows = np.where(strips > 1, np.minimum(rows, strips * nest.h), nest.h)  # padding is not stored
    return Activity(
        cycles=cycles.astype(np.float64),
        input_words=(images * rows * patch_columns(nest) * groups_of_filters).astype(np.float64),
        filter_words=filters,
        psum_words=(results * (2 * groups_of_channels - 1)).astype(np.float64),
        side_words=tuple(sides),
        dram_input_bits=(images * stored_rows * nest.w * -(-nest.m // t.m)).astype(np.float64) * input_bits,
        dram_filter_bits=filters * value_bits,
        dram_side_bits=sum(sides, np.zeros(len(t))) * value_bits,
        dram_output_bits=np.full(len(t), results * coding.bits_per_value(zeros.output, value_bits)),
    )


def _side_words(nest: Nest, words: int, loads: Integers) -> Floats:
    """Words of an operand that is added to the results: of a filter as often as filters are loaded, else once each."""
    per_filter = words <= nest.repeats * nest.m
    return (words * loads if per_filter else np.full(len(loads), words)).astype(np.float64)


def _pass_cycles(nest: Nest, t: ChipMappings, chip: RowStationaryChip, rows: Integers) -> Floats:
    """Cycles of one processing pass that makes ``rows`` output rows."""
    per_cycle = {
        "filter": chip.ports.filter_bits / chip.word_bits,
        "input": chip.ports.input_bits / chip.word_bits,
        "psum": chip.ports.psum_bits / chip.word_bits,
    }
    input_rows = patch_rows(nest, rows)
    compute = t.p * t.q * nest.s * nest.f * t.n
    psums = t.p * t.t * rows * nest.f * t.n / per_cycle["psum"]
    inputs = t.q * t.r * input_rows * patch_columns(nest) * t.n / per_cycle["input"]
    filters = t.p * t.t * t.q * t.r * nest.r * nest.s / per_cycle["filter"]
    first_windows = t.q * t.r * input_rows * nest.s / per_cycle["input"]
    ripple = (nest.r * t.r - 1) * t.p
    slowest: Floats = np.maximum(np.maximum(compute, psums), inputs)
    return slowest + filters + first_windows + ripple
