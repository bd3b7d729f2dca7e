"""Access counts, cycles and the choice against a scalar transcription of the published formulas."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.cost.row_stationary import TRAFFIC, accesses, best_tiling, cycles
from hwsim.mapping.row_stationary import Limits, Nest, tilings
from tests.mapping.test_row_stationary import nests

LIMITS = Limits(24, 12, 64, 8, 500)
UNIT_PJ = (400.0, 400.0, 400.0, 44.4, 44.4, 14.8, 14.8, 7.4, 7.4, 14.8, 7.4)


def naive_accesses(nest, n0, n3, m0, m1, m2, m3, c0, c1, c2, e1, e3):
    """The table of access counts, in the order of TRAFFIC, with C3 = 1."""
    size_i = nest.n * nest.h * nest.w * nest.c
    size_w = nest.r * nest.s * nest.c * nest.m
    size_o = nest.n * nest.e * nest.f * nest.m
    return [
        m3 * size_i,
        n3 * e3 * size_w,
        size_o,
        m3 * m2 * size_i,
        max(2 * (c2 - 1), 1) * size_o,
        m3 * m2 * m1 * nest.r * nest.e / nest.h * size_i,
        n3 * e3 * e1 * size_w,
        max(c2 * (c1 * nest.r - 1), 1) * size_o,
        m3 * m2 * m1 * nest.r * nest.e / nest.h * m0 * nest.s * nest.f / nest.w * size_i,
        n3 * e3 * e1 * nest.f * n0 * size_w,
        max(2 * c2 * c1 * nest.r * (c0 * nest.s - 1), 1) * size_o,
    ]


@settings(max_examples=100, deadline=None)
@given(nests)
def test_accesses_and_cycles_equal_the_published_formulas(nest):
    legal = tilings(nest, LIMITS)
    words = accesses(nest, legal)
    for index in range(min(len(legal), 50)):
        f = legal.factors(index)
        assert words[:, index].tolist() == pytest.approx(naive_accesses(nest, **f), rel=1e-12)
        steps = f["n3"] * f["n0"] * f["m3"] * f["m2"] * f["m0"] * f["c2"] * f["c0"] * f["e3"] * nest.f * nest.s
        assert cycles(nest, legal)[index] == steps


@settings(max_examples=60, deadline=None)
@given(nests, st.sampled_from([1.0, 3.2]), st.none() | st.just((2.0, 2.0, 1.0)))
def test_the_chosen_tiling_minimises_the_objective(nest, divisor, bandwidth):
    choice = best_tiling(nest, LIMITS, UNIT_PJ, 100.0, divisor, bandwidth)
    legal = tilings(nest, LIMITS)
    if choice is None:
        assert len(legal) == 0
        return
    points = []
    for index in range(len(legal)):
        words = naive_accesses(nest, **legal.factors(index))
        compute = float(cycles(nest, legal)[index]) / divisor
        dram = sum(w / b for w, b in zip(words[:3], bandwidth, strict=True)) if bandwidth else 0.0
        energy = 100.0 + sum(w * e for w, e in zip(words, UNIT_PJ, strict=True))
        points.append((energy, max(compute, dram)))
    energies, latencies = zip(*points, strict=True)

    def objective(point):
        return (point[0] - min(energies)) / max(energies) + (point[1] - min(latencies)) / max(latencies)

    chosen = sum(w * e for w, e in zip(choice.accesses, UNIT_PJ, strict=True)) + 100.0
    reached = objective((chosen, max(choice.compute_cycles, choice.dram_cycles)))
    assert reached == pytest.approx(min(objective(point) for point in points), abs=1e-12)
    assert choice.searched == len(points)


def test_traffic_covers_every_level_and_operand():
    assert {access.component for access in TRAFFIC} == {"dram", "global_buffer", "network", "register_file"}
    assert len({(access.component, access.operand) for access in TRAFFIC}) == len(TRAFFIC) == 11


def test_fully_connected_register_accesses_equal_the_operations():
    nest = Nest(30, 512, 512)
    words = accesses(nest, tilings(nest, Limits(168, 12, 960, 16, 65536)))
    assert (words[8] == 30 * 512 * 512).all()
    assert (words[9] == 30 * 512 * 512).all()
