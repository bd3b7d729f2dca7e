"""The search against brute force over every mapping, and its bounds and lattice against naive twins."""

import math
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hwsim.errors import HwsimError
from hwsim.mapping.canonical import canonical
from hwsim.mapping.descent import Descent
from hwsim.mapping.hierarchy import Array, Hierarchy, Memory
from hwsim.mapping.lattice import Lattice
from hwsim.mapping.objective import Objective
from hwsim.mapping.problem import problem_of
from hwsim.mapping.search import optimum, search
from hwsim.mapping.setting import Setting
from hwsim.workload.contraction import conv2d, matmul
from tests.mapping.brute import best
from tests.mapping.hierarchies import hierarchies, problems

OBJECTIVES = ("energy", "latency", "edp", "energy^0.5*latency^2")


def value(cost, objective):
    energy, latency = {"energy": (1, 0), "latency": (0, 1), "edp": (1, 1)}.get(objective, (0.5, 2))
    return cost.energy_pj**energy * cost.cycles**latency


def brute_size(problem, hierarchy):
    return math.prod(len(hierarchy.nodes) ** math.log2(bound) for bound in problem.bounds)


@settings(max_examples=300, deadline=None)
@given(problems(), hierarchies(), st.sampled_from(OBJECTIVES), st.sampled_from([(1,), (2, 64)]), st.sampled_from([1, 8, 512]))
def test_the_optimum_equals_brute_force(problem, hierarchy, objective, beams, block):
    """A beam of 1 makes the first pass miss the optimum, so that bounds matter; small blocks make many of one node."""
    assume(brute_size(problem, hierarchy) <= 600)
    least = best(problem, hierarchy, lambda cost: value(cost, objective))
    with mock.patch("hwsim.mapping.search.BEAMS", beams), mock.patch("hwsim.mapping.descent.BLOCK", block):
        compare(problem, hierarchy, objective, least)


def compare(problem, hierarchy, objective, least):
    optimum.cache_clear()
    if math.isinf(least):
        with pytest.raises(HwsimError, match=r"^no mapping fits small: memory memory. holds \d+ .* missing, for a single point$|leave none$"):
            search(problem, hierarchy, Objective.parse(objective))
        return
    found = search(problem, hierarchy, Objective.parse(objective))
    assert value(found.cost, objective) == pytest.approx(least, rel=1e-9, abs=1e-9)
    form = canonical(problem, hierarchy)
    descent = Descent(Setting(form.problem, form.hierarchy, Objective.parse(objective), Lattice(form.problem)))
    # told to beat hardly more than the least from the start, every bound on the way must let it through
    assert descent.run(least * (1 + 1e-6) + 1e-9, None)
    assert not descent.run(least * (1 - 1e-6), None)


def test_filling_counts_on_one_read_for_all_instances_of_an_array():
    """Four instances in two rows and two columns share all reads outside: of both factors half, not of one alone."""
    problem = problem_of(matmul("p", rows=2, inner=3, columns=2))
    free = (0.0,) * 3
    nodes = (
        Memory("dram", (True,) * 3, (8, 8, 8), (1.0, 1.0, 0.0), free), Array("array", 4),
        Memory("registers", (True,) * 3, (8, 8, 8), free, free, words=(3, 3, 1)),
    )  # fmt: skip
    hierarchy = Hierarchy("small", nodes, 0.0)
    least = best(problem, hierarchy, lambda cost: cost.energy_pj)
    assert least == problem.total(0) + problem.total(1)
    compare(problem, hierarchy, "energy", least)


@settings(max_examples=60, deadline=None)
@given(problems())
def test_least_of_multiples_is_the_least_over_all_multiples(problem):
    lattice = Lattice(problem)
    values = np.random.default_rng(0).random((len(lattice), 2))
    for index in range(min(len(lattice), 40)):
        multiples = (lattice.tiles % lattice.tiles[index] == 0).all(axis=1)
        assert lattice.least_of_multiples(values)[index].tolist() == values[multiples].min(axis=0).tolist()


@settings(max_examples=60, deadline=None)
@given(problems())
def test_words_of_one_tile_are_those_of_all_tiles(problem):
    lattice = Lattice(problem)
    for tile, words in zip(lattice.tiles.tolist(), lattice.footprint.tolist(), strict=True):
        assert [problem.words(operand, tile) for operand in range(3)] == words


@settings(max_examples=60, deadline=None)
@given(problems(), st.integers(1, 12))
def test_expansion_finds_every_multiple_within_a_limit(problem, limit):
    lattice = Lattice(problem)
    every = np.arange(len(lattice))
    origin, grown = lattice.expand(every, list(range(len(problem.bounds))), lambda _, tile: lattice.points[tile] <= limit)
    found = set(zip(origin.tolist(), grown.tolist(), strict=True))
    assert len(found) == len(origin)
    assert found == {
        (a, b) for a in every for b in every
        if lattice.points[b] <= limit and (lattice.tiles[b] % lattice.tiles[a] == 0).all()
    }  # fmt: skip


def eyeriss_like(words=(12, 224, 24)):
    bits = (16, 16, 16)
    return Hierarchy(
        "eyeriss",
        (
            Memory("dram", (True,) * 3, bits, (200.0,) * 3, (200.0,) * 3),
            Memory("buffer", (True,) * 3, bits, (6.0,) * 3, (6.0,) * 3, bits=108 * 1024 * 8),
            Array("rows", 12, hop_pj=(1.0,) * 3),
            Array("columns", 14, hop_pj=(1.0,) * 3),
            Memory("registers", (True,) * 3, bits, (1.0,) * 3, (1.0,) * 3, words=words),
        ),
        1.0,
    )


@pytest.mark.parametrize(
    "operator",
    [
        conv2d("prime", batch=1, in_channels=7, out_channels=13, input_size=(13, 11), kernel=(3, 3)),
        conv2d("depthwise", batch=1, in_channels=32, out_channels=32, input_size=(14, 14), kernel=(3, 3), groups=32),
        conv2d("point", batch=1, in_channels=1, out_channels=1, input_size=(1, 1), kernel=(1, 1)),
        matmul("prime product", rows=197, inner=61, columns=1009),
        matmul("huge", rows=1 << 16, inner=1 << 14, columns=1 << 14),
    ],
    ids=lambda operator: operator.name,
)
def test_awkward_sizes_are_mapped(operator):
    found = search(problem_of(operator), eyeriss_like())
    assert found.certificate.visited > 0
    assert found.cost.energy_pj >= operator.macs * (1.0 + 3 * 1.0)  # each point computes and reads two factors and a sum


@pytest.mark.parametrize("sizes", [(2**24, 2**24, 2**24), (720720, 720720, 720720)])
def test_a_problem_beyond_the_search_is_refused(sizes):
    rows, inner, columns = sizes
    with pytest.raises(HwsimError, match=r"^operator has [\d,]+ points and [\d,]+ tiles; a search takes up to"):
        search(problem_of(matmul("p", rows=rows, inner=inner, columns=columns)), eyeriss_like())


def test_the_certificate_counts_the_space():
    found = search(problem_of(matmul("p", rows=4, inner=2, columns=3)), eyeriss_like())
    # five nodes: 4 = 2*2 in C(6,4) ways, primes in 5; three memories with three choices each
    assert found.certificate.space == 15 * 5 * 5 * 3**3


def test_nothing_fits():
    with pytest.raises(HwsimError, match=(
        r"^no mapping fits eyeriss: memory registers holds 0 words of input; the tile needs 1: 2 bytes missing, "
        r"for a single point$"
    )):
        search(problem_of(matmul("p", rows=4, inner=2, columns=3)), eyeriss_like((0, 1, 1)))
