"""Exact cycles of a convolution on BitFusion, and how its fusion units split.

Source: Sharma et al., ISCA 2018, and the authors' simulator: an array of N rows and M columns of fusion units, each a
multiplier of ``max_bits`` that also works as several narrower ones, down to ``min_bits``.
"""

from __future__ import annotations

from dataclasses import dataclass

from hwsim.errors import InputError


def products_per_unit(input_bits: int, weight_bits: int, *, max_bits: int, min_bits: int) -> int:
    """Return how many products of these widths one fusion unit makes per cycle.

    Widths below ``min_bits`` count as ``min_bits``. The published formula, floor(max/input) * floor(max/weight), is 0
    above ``max_bits``, which its simulator meets as a division by zero.

    Raises
    ------
    InputError
        If a width is below 1 or above ``max_bits``.
    """
    for name, bits in (("input", input_bits), ("weight", weight_bits)):
        if not 1 <= bits <= max_bits:
            raise InputError(f"a fusion unit takes 1 to {max_bits} bits", field=name, value=f"{bits} bits")
    return (max_bits // max(input_bits, min_bits)) * (max_bits // max(weight_bits, min_bits))


@dataclass(frozen=True)
class Layer:
    """A convolution as BitFusion's formula sees it; a matrix product has one pixel and a 1 x 1 kernel."""

    batch: int
    out_channels: int
    in_channels: int
    out_rows: int = 1
    out_columns: int = 1
    kernel_rows: int = 1
    kernel_columns: int = 1

    @property
    def windows(self) -> int:
        """Kernel positions of one input and output channel: what runs one after another."""
        pixels = self.batch * self.out_rows * self.out_columns
        return pixels * self.kernel_rows * self.kernel_columns

    def column_tiles(self, columns: int) -> int:
        """Groups of output channels, one channel per column."""
        return -(-self.out_channels // columns)

    def row_tiles(self, lanes: int) -> int:
        """Groups of input channels, ``lanes`` of which fit the rows at once."""
        return -(-self.in_channels // lanes)

    def cycles(self, *, rows: int, columns: int, products: int) -> int:
        """Cycles on ``rows`` x ``columns`` units that make ``products`` each per cycle (see `products_per_unit`)."""
        return self.windows * self.column_tiles(columns) * self.row_tiles(rows * products)
