"""Time and energy of kernels on a GPU: compute, memory and launch bounds; idle, active and dynamic power; the clock.

A matrix product is cut into tiles that run in waves over the multiprocessors (the best of a few tile sizes and splits
of the sum, as libraries choose); everything else streams. What a kernel reads was often written just before, so the
second-level cache keeps a part of it from the memory. Where the power would exceed the board's limit, the clock falls
until it does not; voltage follows the clock down to a floor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwsim.gpu.behaviour import Device
from hwsim.gpu.kernels import Kernels, Numbers

TILES = ((128, 128, 1.0), (128, 64, 0.95), (64, 64, 0.85), (32, 32, 0.5), (16, 16, 0.2))
"""Rows and columns of a tile, and its share of the largest tile's rate, which reuses more of what it loads."""
SPLITS = (1, 2, 4, 8, 16, 32, 64)
"""Parts of the sum that run at the same time."""
SUM_STEP = 32
CLOCKS = np.linspace(0.1, 1.0, 19)
"""Share of the highest clock."""
MEMORY_CLOCK = 0.4
"""Below this share of the highest clock, multiprocessors no longer keep the memory busy."""
THREADS = 2048  # of a multiprocessor


@dataclass(frozen=True)
class Board:
    """What a data sheet says of a GPU, with the energies that follow from it."""

    multiprocessors: int
    cycles_per_s: float
    """Highest clock."""
    operations_per_s: dict[str, float]
    """Peak rate of the matrix units by format."""
    scalar_operations_per_s: float
    """Peak rate of single precision without matrix units."""
    rounds_products: bool
    """Whether matrix units take single precision outside convolutions."""
    bytes_per_s: float
    cache_bytes: float
    idle_w: float
    limit_w: float
    active_w: float
    """Of all multiprocessors at work at the highest clock, whatever they do."""
    pj_per_operation: dict[str, float]
    scalar_pj_per_operation: float
    pj_per_byte: float
    """On chip."""
    dram_pj_per_byte: float


@dataclass(frozen=True)
class DeviceCost:
    """Of one execution of every kernel."""

    time_s: Numbers
    clock: Numbers
    """Share of the highest clock."""
    operations_pj: Numbers
    on_chip_pj: Numbers
    dram_pj: Numbers
    active_pj: Numbers
    """Of multiprocessors at work, less what the idle power falls by at a lower clock."""
    moved_bytes: Numbers
    dram_bytes: Numbers
    is_compute_bound: NDArray[np.bool_]
    is_on_matrix_units: NDArray[np.bool_]

    @property
    def dynamic_pj(self) -> Numbers:
        """All but what the board draws anyway."""
        return self.operations_pj + self.on_chip_pj + self.dram_pj + self.active_pj


def padded_operations(kernels: Kernels, multiprocessors: int) -> Numbers:
    """Operations a product takes with its tiles filled up and its waves full, at the rate of the largest tile."""
    rows, columns, rate = (np.array(part)[:, None, None] for part in zip(*TILES, strict=True))
    splits = np.array(SPLITS)[:, None]
    tiles = np.ceil(kernels.m / rows) * np.ceil(kernels.n / columns) * kernels.repeats
    waves = np.ceil(tiles * splits / multiprocessors)
    depth = np.ceil(kernels.k / splits / SUM_STEP) * SUM_STEP
    padded: Numbers = (waves * multiprocessors * 2 * rows * columns * depth / rate).min(axis=(0, 1))
    return padded


def voltage(clock: Numbers, behaviour: Device) -> Numbers:
    """Voltage over that of the highest clock: a floor, then a cubic."""
    above = np.maximum(0, clock - behaviour.floor_clock) / (1 - behaviour.floor_clock)
    return behaviour.voltage_floor + (1 - behaviour.voltage_floor) * above**3


@dataclass(frozen=True)
class Clocked:
    """Of one execution of every kernel (rows) at every one of `CLOCKS` (columns)."""

    idle_w: float
    limit_share: float
    time_s: Numbers
    operations_pj: Numbers
    on_chip_pj: Numbers
    active_pj: Numbers
    dram_pj: Numbers
    """Of a kernel at any clock, as is what follows."""
    moved_bytes: Numbers
    dram_bytes: Numbers
    is_compute_bound: NDArray[np.bool_]
    is_on_matrix_units: NDArray[np.bool_]

    def limited(self, limit_w: float) -> DeviceCost:
        """Return the cost of every kernel at the highest clock at which its power stays within ``limit_w``."""
        dynamic_pj = self.operations_pj + self.on_chip_pj + self.active_pj + self.dram_pj[:, None]
        pick = _Limited(self.idle_w + dynamic_pj * 1e-12 / self.time_s, self.limit_share * limit_w)
        return DeviceCost(
            pick(self.time_s), pick(np.broadcast_to(CLOCKS, self.time_s.shape)), pick(self.operations_pj),
            pick(self.on_chip_pj), self.dram_pj, pick(self.active_pj), self.moved_bytes, self.dram_bytes,
            self.is_compute_bound, self.is_on_matrix_units,
        )  # fmt: skip


def device_cost(kernels: Kernels, board: Board, behaviour: Device) -> DeviceCost:
    """Cost of every kernel on ``board`` with its power limit."""
    return clocked(kernels, board, behaviour).limited(board.limit_w)


def clocked(kernels: Kernels, board: Board, behaviour: Device) -> Clocked:
    """Cost of every kernel on ``board`` at every clock."""
    compute = _compute(kernels, board, behaviour)
    moved = kernels.bytes * np.where(kernels.is_product, behaviour.product_traffic, behaviour.stream_traffic)
    missed = moved**2 / (moved + behaviour.cache_share * board.cache_bytes)
    cache_s = (moved - missed) / (board.bytes_per_s * behaviour.cache_speed)
    dram_s = missed / (board.bytes_per_s * behaviour.dram_efficiency)
    busy = np.minimum(1, kernels.bytes / 4 / (board.multiprocessors * THREADS * behaviour.occupancy))
    relaid_s = compute.relaid_bytes / (board.bytes_per_s * behaviour.dram_efficiency)
    before_s = behaviour.kernel_s * ~kernels.is_inner + relaid_s
    time_s = before_s[:, None] + np.maximum(
        compute.time_s[:, None] / CLOCKS,
        dram_s[:, None] / np.minimum(1, CLOCKS / MEMORY_CLOCK) + cache_s[:, None] / CLOCKS,
    )
    volt = voltage(CLOCKS, behaviour) ** 2
    idle_saved_w = board.idle_w * behaviour.idle_clocked * (1 - CLOCKS * volt)
    all_moved, dram_bytes = moved + compute.relaid_bytes, missed + compute.relaid_bytes
    return Clocked(
        idle_w=board.idle_w,
        limit_share=behaviour.limit_share,
        time_s=time_s,
        operations_pj=(kernels.operations * compute.pj_per_operation)[:, None] * volt,
        on_chip_pj=(all_moved * board.pj_per_byte)[:, None] * volt,
        active_pj=(board.active_w * busy[:, None] * CLOCKS * volt - idle_saved_w) * time_s * 1e12,
        dram_pj=dram_bytes * board.dram_pj_per_byte,
        moved_bytes=all_moved,
        dram_bytes=dram_bytes,
        is_compute_bound=compute.time_s > dram_s + cache_s,
        is_on_matrix_units=compute.on_matrix,
    )


class _Compute(NamedTuple):
    """How kernels compute: on matrix units where that is faster, although images may have to be laid out anew."""

    time_s: Numbers
    """At the highest clock if memory were infinitely fast."""
    pj_per_operation: Numbers
    relaid_bytes: Numbers
    """Read and written to bring channels last, and back."""
    on_matrix: NDArray[np.bool_]


def _compute(kernels: Kernels, board: Board, behaviour: Device) -> _Compute:
    padded = padded_operations(kernels, board.multiprocessors)
    efficiency = np.where(kernels.launched, behaviour.matrix_efficiency, behaviour.recurrent_efficiency)
    rate = by_format(kernels, board.operations_per_s, 0.0) * efficiency
    rate *= np.where(kernels.is_aligned, 1.0, behaviour.unaligned_share)
    rate *= kernels.is_convolution | board.rounds_products | (kernels.format != "fp32")
    scalar_s = padded / (board.scalar_operations_per_s * behaviour.scalar_efficiency)
    matrix_s = np.divide(padded, rate, out=np.full(len(kernels), np.inf), where=rate > 0)
    relaid_bytes = 2 * kernels.images
    relaid_s = relaid_bytes / (board.bytes_per_s * behaviour.dram_efficiency)
    on_matrix = kernels.is_tiled & (matrix_s + relaid_s < scalar_s)
    skinny_s = kernels.operations / (board.multiprocessors * board.cycles_per_s * behaviour.skinny_operations)
    tiled_s = np.where(on_matrix, matrix_s, scalar_s)
    product_s = np.where(kernels.is_tiled, tiled_s, skinny_s)
    return _Compute(
        np.where(kernels.is_product, product_s, _planar_s(kernels, board, behaviour)),
        np.where(on_matrix, by_format(kernels, board.pj_per_operation, 0.0), board.scalar_pj_per_operation),
        np.where(on_matrix, relaid_bytes, 0.0),
        on_matrix,
    )


def _planar_s(kernels: Kernels, board: Board, behaviour: Device) -> Numbers:
    """Time of batch normalisations if memory were infinitely fast; zero for all other kernels."""
    if behaviour.planar_operations is None:
        return np.zeros(len(kernels))
    rate = board.multiprocessors * board.cycles_per_s * behaviour.planar_operations
    return np.where(kernels.is_planar, kernels.operations / rate, 0.0)


def by_format(kernels: Kernels, values: Mapping[str, float], otherwise: float) -> Numbers:
    """Return the value of every kernel's format."""
    found = np.full(len(kernels), otherwise)
    for name, value in values.items():
        found[kernels.format == name] = value
    return found


class _Limited:
    """Values at the highest clock whose power stays within a limit, between clocks by interpolation."""

    def __init__(self, power_w: NDArray[np.float64], limit_w: float) -> None:
        over = power_w > limit_w
        clocks = power_w.shape[1]
        first = np.where(over.any(axis=1), over.argmax(axis=1), clocks)
        self._rows = np.arange(len(power_w))
        self._above = np.clip(first, 1, clocks - 1)
        low, high = power_w[self._rows, self._above - 1], power_w[self._rows, self._above]
        between = np.clip((limit_w - low) / np.maximum(high - low, 1e-12), 0, 1)
        self._share = np.where(first == clocks, 1.0, between)

    def __call__(self, values: NDArray[np.float64]) -> Numbers:
        low, high = values[self._rows, self._above - 1], values[self._rows, self._above]
        between: Numbers = low + (high - low) * self._share
        return between
