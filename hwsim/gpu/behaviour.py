"""How far real kernels stay below a data sheet: numbers fitted on measured training runs."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import Field

from hwsim.architecture.gpu import Fit
from hwsim.files import Frozen, read_model

Share = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Device(Frozen):
    """What kernels reach of a board."""

    scalar_efficiency: Share
    """Of the peak rate that large products reach without matrix units."""
    matrix_efficiency: Share
    """The same with matrix units."""
    unaligned_share: Share
    """Of that rate, where rows of matrices do not begin at multiples of 16 bytes."""
    recurrent_efficiency: Share
    """The same with matrix units in recurrent layers, whose small products wait for each other."""
    skinny_operations: Positive
    """Operations of a depthwise convolution that a multiprocessor does in a cycle."""
    planar_operations: Positive | None = None
    """The same of a batch normalisation whose channels are not last; unset: it is like other streams."""
    dram_efficiency: Share
    """Of the memory's bandwidth."""
    cache_speed: Positive
    """Bandwidth of the second-level cache over the memory's."""
    cache_share: Positive
    """Of the cache that keeps what a kernel reads from its predecessors."""
    product_traffic: Positive
    """Bytes that products move over those of their operands."""
    stream_traffic: Positive
    """The same for everything else."""
    kernel_s: Positive
    """Least time of a kernel."""
    occupancy: Positive
    """Threads per element over what a multiprocessor can hold, at which it counts as busy."""
    voltage_floor: Share
    """Lowest voltage over the highest."""
    floor_clock: Share
    """Share of the highest clock below which the voltage stays at its floor."""
    idle_clocked: Share
    """Of the idle power that falls with the clock and the square of the voltage: clock tree and leakage."""
    limit_share: Share
    """Of the power limit that a kernel is kept to."""


class HostWork(Frozen):
    """Time in which a host launches operators; a host's slowness multiplies all of it."""

    forward_s: Positive
    """Of an operator of the forward pass."""
    backward_s: Positive
    inference_s: Positive
    """Of an operator where there is no backward pass."""
    optimizer_s: Positive
    step_s: Positive
    """Of a step, beside its operators."""


class Energies(Frozen):
    """Energies at the highest clock, in a technology of `node_nm` and on a die of `die_mm2`.

    Logic scales with the node, wires with the side of the die.
    """

    node_nm: Positive
    die_mm2: Positive
    scalar_pj: Positive
    """Of an operation without matrix units."""
    matrix_pj: Positive
    """Of an operation with them on 16 bits; on others in proportion to the bits."""
    active_pj: Positive
    """Of a cycle of 10^9 transistors while multiprocessors are at work, whatever they do."""
    chip_pj: Positive
    """Of a byte that a kernel moves across the die."""
    dram_pj: Positive
    """Of a bit on its way from the external memory, beside what is published of the memory's standard."""


class Behaviour(Frozen):
    """Everything fitted, and on what."""

    source: str
    recipe: str
    device: Device
    host: HostWork
    energy: Energies


def fit_path(fit: Fit) -> Path:
    """Return the file of a fit."""
    return Path(str(files("hwsim.gpu") / "fits" / f"{fit}.yaml"))


@lru_cache
def behaviour(fit: Fit) -> Behaviour:
    """Return one of the fits that are part of the package."""
    return read_model(fit_path(fit), Behaviour)
