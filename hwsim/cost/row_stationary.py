"""Accesses, energy and cycles of row-stationary tilings, and the choice of the best one.

Source of the access counts and of the objective: the analytic simulators of ShiftAddNAS and ShiftAddViT. Every
function works on all tilings of a nest at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hwsim.cost.result import Component
from hwsim.mapping.row_stationary import Limits, Nest, Tilings, tilings

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Traffic:
    """One kind of access: where, of which operand, priced by which coefficient."""

    component: Component
    operand: str
    coefficient: str


TRAFFIC = (
    Traffic("dram", "input", "dram"),
    Traffic("dram", "weight", "dram"),
    Traffic("dram", "output", "dram"),
    Traffic("global_buffer", "input", "global_buffer"),
    Traffic("global_buffer", "output", "global_buffer"),
    Traffic("network", "input", "network"),
    Traffic("network", "weight", "network"),
    Traffic("network", "output", "network_psum"),
    Traffic("register_file", "input", "register_file"),
    Traffic("register_file", "weight", "register_file_weight"),
    Traffic("register_file", "output", "register_file"),
)


@dataclass(frozen=True)
class Choice:
    """The chosen tiling of a nest; accesses, energy and cycles are of one repeat."""

    factors: Mapping[str, int]
    accesses: tuple[float, ...]
    """Words, in the order of `TRAFFIC`."""
    compute_cycles: float
    dram_cycles: float
    searched: int
    """Legal tilings that were compared."""


def accesses(nest: Nest, t: Tilings) -> Floats:
    """Words moved by one repeat, shape (len(TRAFFIC), len(t))."""
    size = nest.sizes
    overlap = nest.r * nest.e / nest.h
    network_input = t.m3 * t.m2 * t.m1 * overlap
    network_weight = t.n3 * t.e3 * t.e1
    rows = (
        t.m3 * size["input"],
        t.n3 * t.e3 * size["weight"],
        np.full(len(t), size["output"]),
        t.m3 * t.m2 * size["input"],
        np.maximum(2 * (t.c2 - 1), 1) * size["output"],
        network_input * size["input"],
        network_weight * size["weight"],
        np.maximum(t.c2 * (t.c1 * nest.r - 1), 1) * size["output"],
        network_input * t.m0 * (nest.s * nest.f / nest.w) * size["input"],
        network_weight * nest.f * t.n0 * size["weight"],
        np.maximum(2 * t.c2 * t.c1 * nest.r * (t.c0 * nest.s - 1), 1) * size["output"],
    )
    return np.array(rows, np.float64)


def cycles(nest: Nest, t: Tilings) -> Floats:
    """Compute cycles of one repeat, shape (len(t),)."""
    steps = t.n3 * t.n0 * t.m3 * t.m2 * t.m0 * t.c2 * t.c0 * t.e3
    return steps.astype(np.float64) * (nest.f * nest.s)


@lru_cache(maxsize=4096)
def best_tiling(
    nest: Nest,
    limits: Limits,
    energy_pj: tuple[float, ...],
    compute_pj: float,
    latency_divisor: float = 1.0,
    dram_words_per_cycle: tuple[float, float, float] | None = None,
) -> Choice | None:
    """Return the tiling that minimises (E - Emin)/Emax + (L - Lmin)/Lmax, or None if none is legal.

    Parameters
    ----------
    energy_pj
        Energy of one access in picojoules, in the order of `TRAFFIC`.
    compute_pj
        Energy of all operations of one repeat; it takes part in Emax.
    latency_divisor
        Divides the compute cycles.
    dram_words_per_cycle
        Bandwidth for input, weight and output words; None leaves the external memory out of the latency.

    The first of equally good tilings wins.
    """
    legal = tilings(nest, limits)
    if not len(legal):
        return None
    words = accesses(nest, legal)
    compute = cycles(nest, legal) / latency_divisor
    dram = np.zeros(len(legal))
    if dram_words_per_cycle is not None:
        dram = (words[:3] / np.array(dram_words_per_cycle)[:, None]).sum(axis=0)
    energy = compute_pj + np.array(energy_pj) @ words
    latency = np.maximum(compute, dram)
    objective = (energy - energy.min()) / energy.max() + (latency - latency.min()) / latency.max()
    best = int(np.argmin(objective))
    return Choice(
        factors=legal.factors(best),
        accesses=tuple(float(value) for value in words[:, best]),
        compute_cycles=float(compute[best]),
        dram_cycles=float(dram[best]),
        searched=len(legal),
    )
