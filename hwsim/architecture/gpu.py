"""A graphics processor as its data sheet describes it, with the host that feeds it."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import PositiveInt

from hwsim.architecture.base import Accelerator, NarrowMode, Positive, StreamLevel
from hwsim.architecture.node import Node
from hwsim.files import Frozen
from hwsim.workload.operator import FormatName

Fit = Literal["volta", "hopper"]
"""Fits of `hwsim.gpu.behaviour`, by the generation of the boards that were measured."""
_LANE_OPERATIONS = 2
"""A multiply-accumulate is two operations in a data sheet."""


class Host(Frozen):
    """What launches the kernels."""

    name: str
    slowness: Positive = 1.0
    """Time it takes to launch an operator over that of the host that the model was fitted on."""
    source: str


class Gpu(Accelerator):
    """A board of multiprocessors, a second-level cache and a memory."""

    kind: Literal["gpu"]
    technology: Literal["data-sheet"] = "data-sheet"
    """Energies follow from this data sheet: `hwsim.gpu.technology`."""
    node_nm: Positive
    voltage_v: Positive = 1.0
    """Of the cores at the highest clock, nominally; energies do not depend on it."""
    billion_transistors: Positive
    """Of the die, in 10^9."""
    die_mm2: Positive
    multiprocessors: PositiveInt
    tflops: Positive
    """Peak rate of single precision without matrix units, in 10^12 operations per second."""
    matrix_tflops: dict[FormatName, Positive] = {}
    """Peak dense rate of the matrix units by format."""
    tf32_tflops: Positive | None = None
    """Peak dense rate of matrix products of single precision whose factors are rounded to TF32; unset: none."""
    tf32_products: bool = False
    """Whether all products of single precision are rounded so, not just convolutions as PyTorch does by itself."""
    fit: Fit = "volta"
    """Measured boards that say how far kernels stay below the data sheet, and what they take."""
    l2_mib: Positive
    board_w: Positive
    """Thermal design power."""
    idle_w: Positive
    """Power of the board with a context open and nothing running."""
    idle_source: str
    memory: Literal["hbm2", "hbm2e", "hbm3", "gddr6", "lpddr4"]
    """Standard whose published energy per bit is taken, the nearest to the board's memory."""
    limit_w: Positive | None = None
    """Power limit that was set; unset: the thermal design power."""
    host: Host
    node: Node | None = None
    """The chassis that it is in with others; unset: it is alone, and the host's power is not counted."""
    channels_last: bool = False
    """Whether software keeps images in the order that matrix units need; otherwise convolutions on them rearrange."""
    padded_rows: bool = False
    """Whether software pads matrices so that rows begin at multiples of 16 bytes, as compilers of frameworks do."""
    cuda_graphs: bool = False
    """Whether the kernels of a step are launched at once, so that nothing waits for the host but the step itself."""

    @property
    def elements(self) -> int:
        """Lanes of single precision, from the peak rate."""
        return round(self.tflops * 1e12 / _LANE_OPERATIONS / self.clock_hz)

    @property
    def narrow(self) -> NarrowMode | None:
        """None: rates of narrow formats are in the data sheet."""
        return None

    @property
    def buffer(self) -> str:
        """The second-level cache."""
        return f"{self.l2_mib:g} MiB L2"

    @property
    def vector_lanes(self) -> int:
        """Lanes of single precision."""
        return self.elements

    @property
    def peak_operations_per_s(self) -> float:
        """Multiply-accumulates per second of the fastest format."""
        fastest = max([self.tflops, *self.matrix_tflops.values()])
        return fastest * 1e12 / _LANE_OPERATIONS

    @property
    def stream_levels(self) -> tuple[StreamLevel, ...]:
        """External memory and cache."""
        return (
            StreamLevel("dram", "dram", math.inf),
            StreamLevel("global_buffer", "chip", self.l2_mib * 8 * 1024**2),
        )
