"""What a row-stationary chip does in a layer: cycles, words through the global buffer, bits of external memory.

A layer runs in processing passes: the array holds ``p * t`` filters of ``q * r`` channels and makes ``e`` output rows
of ``n`` images from them. A pass takes as long as the slowest of its computation and its ports; before it come the
loading of its filters and of the first windows of input, after it the last partial sums ripple up a column. Nothing
here is fitted.
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
class Activity:
    """Totals of one layer for every mapping, shape (count,) each."""

    cycles: Floats
    """Processing: external memory is assumed to keep up."""
    input_words: Floats
    """Words from the global buffer, and so on."""
    filter_words: Floats
    psum_words: Floats
    dram_input_bits: Floats
    dram_filter_bits: Floats
    dram_output_bits: Floats

    @property
    def buffer_words(self) -> Floats:
        """Words through the global buffer in both directions."""
        return self.input_words + self.filter_words + self.psum_words

    @property
    def dram_bits(self) -> Floats:
        """Bits through the link to the external memory."""
        return self.dram_input_bits + self.dram_filter_bits + self.dram_output_bits


def activity(nest: Nest, t: ChipMappings, chip: RowStationaryChip, zeros: Zeros) -> Activity:
    """Count one layer under every mapping of ``t``."""
    groups_of_filters, groups_of_images = -(-nest.m // (t.p * t.t)), -(-nest.n // t.n)
    groups_of_channels = -(-nest.c // (t.q * t.r))
    strips = -(-nest.e // t.e)
    last = nest.e - (strips - 1) * t.e
    passes = nest.repeats * groups_of_filters * groups_of_images * groups_of_channels
    cycles = passes * ((strips - 1) * _pass_cycles(nest, t, chip, t.e) + _pass_cycles(nest, t, chip, last))
    results = nest.repeats * nest.n * nest.m * nest.e * nest.f
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
        dram_input_bits=(images * stored_rows * nest.w * -(-nest.m // t.m)).astype(np.float64) * input_bits,
        dram_filter_bits=filters * value_bits,
        dram_output_bits=np.full(len(t), results * coding.bits_per_value(zeros.output, value_bits)),
    )


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
