"""Time and energy of kernels on a GPU: compute, memory and launch bounds; idle, active and dynamic power; the clock.

A matrix product is cut into tiles that run in waves over the multiprocessors (the best of a few tile sizes and splits
of the sum, as libraries choose); everything else streams. What a kernel reads was often written just before, so the
second-level cache keeps a part of it from the memory. Where the power would exceed the board's limit, the clock falls
until it does not; voltage follows the clock down to a floor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.gpu.behaviour import Device
from hwsim.gpu.kernels import Kernels, Numbers

TILES = ((128, 128, 1.0), (128, 64, 0.95), (64, 64, 0.85), (32, 32, 0.5), (16, 16, 0.2))
"""Rows and columns of a tile, and its share of the largest tile's rate, which reuses more of what it loads."""
SPLITS = (1, 2, 4, 8, 16, 32, 64)
"""Parts of the sum that run at the same time."""
SUM_STEP = 32
CLOCKS = np.linspace(0.3, 1.0, 36)
"""Share of the highest clock."""
THREADS = 2048  # of a multiprocessor


@dataclass(frozen=True)
class Board:
    """What a data sheet says of a GPU, with the energies that follow from it."""

    multiprocessors: int
    operations_per_s: dict[str, float]
    """Peak rate of the matrix units by format."""
    scalar_operations_per_s: float
    """Peak rate of single precision without matrix units."""
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
    moved_bytes: Numbers
    dram_bytes: Numbers
    is_compute_bound: NDArray[np.bool_]

    @property
    def dynamic_pj(self) -> Numbers:
        """All but what the board draws anyway."""
        return self.operations_pj + self.on_chip_pj + self.dram_pj + self.active_pj


def padded_operations(kernels: Kernels, multiprocessors: int) -> Numbers:
    """Operations a product takes with its tiles filled up and its waves full, at the rate of the largest tile."""
    best = np.full(len(kernels), np.inf)
    for rows, columns, rate in TILES:
        tiles = np.ceil(kernels.m / rows) * np.ceil(kernels.n / columns) * kernels.repeats
        for split in SPLITS:
            waves = np.ceil(tiles * split / multiprocessors)
            depth = np.ceil(kernels.k / split / SUM_STEP) * SUM_STEP
            best = np.minimum(best, waves * multiprocessors * 2 * rows * columns * depth / rate)
    return best


def voltage(clock: Numbers, behaviour: Device) -> Numbers:
    """Voltage over that of the highest clock: a floor, then a cubic."""
    above = np.maximum(0, clock - behaviour.floor_clock) / (1 - behaviour.floor_clock)
    return behaviour.voltage_floor + (1 - behaviour.voltage_floor) * above**3


def device_cost(kernels: Kernels, board: Board, behaviour: Device) -> DeviceCost:
    """Cost of every kernel on ``board``."""
    compute_s = _compute_s(kernels, board, behaviour)
    moved = kernels.bytes * np.where(kernels.is_product, behaviour.product_traffic, behaviour.stream_traffic)
    dram_bytes = moved**2 / (moved + behaviour.cache_share * board.cache_bytes)
    cache_s = (moved - dram_bytes) / (board.bytes_per_s * behaviour.cache_speed)
    dram_s = dram_bytes / (board.bytes_per_s * behaviour.dram_efficiency)
    busy = np.minimum(1, kernels.bytes / 4 / (board.multiprocessors * THREADS * behaviour.occupancy))

    volt = voltage(CLOCKS, behaviour) ** 2
    time_s = behaviour.kernel_s + np.maximum(
        compute_s[:, None] / CLOCKS, dram_s[:, None] + cache_s[:, None] / CLOCKS
    )
    scalar_pj = board.scalar_pj_per_operation
    per_operation = np.array([board.pj_per_operation.get(name, scalar_pj) for name in kernels.format])
    per_operation = np.where(kernels.is_tiled, per_operation, scalar_pj)
    operations_pj = (kernels.operations * per_operation)[:, None] * volt
    on_chip_pj = (moved * board.pj_per_byte)[:, None] * volt
    dram_pj = dram_bytes * board.dram_pj_per_byte
    active_pj = board.active_w * busy[:, None] * CLOCKS * volt * time_s * 1e12
    power_w = board.idle_w + (operations_pj + on_chip_pj + dram_pj[:, None] + active_pj) * 1e-12 / time_s
    pick = _Limited(power_w, behaviour.limit_share * board.limit_w)
    return DeviceCost(
        pick(time_s), pick(np.broadcast_to(CLOCKS, time_s.shape)), pick(operations_pj), pick(on_chip_pj), dram_pj,
        pick(active_pj), moved, dram_bytes, compute_s > dram_s + cache_s,
    )  # fmt: skip


def _compute_s(kernels: Kernels, board: Board, behaviour: Device) -> Numbers:
    """Seconds at the highest clock if memory were infinitely fast."""
    scalar = board.scalar_operations_per_s
    matrix = {name: rate * behaviour.matrix_efficiency for name, rate in board.operations_per_s.items()}
    rate = np.array([matrix.get(name, 0.0) for name in kernels.format])
    tiled = padded_operations(kernels, board.multiprocessors) / np.maximum(rate, scalar * behaviour.scalar_efficiency)
    skinny = kernels.operations / (scalar * behaviour.skinny_efficiency)
    return np.where(kernels.is_product, np.where(kernels.is_tiled, tiled, skinny), 0.0)


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
