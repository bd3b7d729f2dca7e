"""Mirror images of tiles: what may change places, and that nothing a mapping costs tells image and tile apart."""

import random
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hwsim.mapping.hierarchy import Array
from hwsim.mapping.lattice import Lattice
from hwsim.mapping.mapping import Mapping, evaluate
from hwsim.mapping.problem import problem_of
from hwsim.mapping.symmetry import mirrored
from hwsim.workload.contraction import conv2d, matmul
from tests.mapping.brute import best, splits
from tests.mapping.hierarchies import hierarchies
from tests.mapping.test_search import OBJECTIVES, brute_size, compare, eyeriss_like, value


def exchanged(problem, hierarchy):
    """Names of the dimensions that change places, in pairs."""
    lattice = Lattice(problem)
    mirror, tiles = mirrored(problem, hierarchy, lattice), lattice.tiles
    found = set()
    for position, name in enumerate(problem.names):
        alone = (np.delete(tiles, position, axis=1) == 1).all(axis=1)
        images = tiles[mirror[alone]]
        others = {problem.names[d] for d in np.flatnonzero((images > 1).any(axis=0))}
        assert len(others) == 1
        found |= {frozenset((name, *others))} if others != {name} else set()
    return found


def convolution(size=(8, 8), kernel=(3, 3), stride=(1, 1)):
    return problem_of(conv2d("c", batch=1, in_channels=4, out_channels=6, input_size=size, kernel=kernel, stride=stride))


@pytest.mark.parametrize(
    ("problem", "pairs"),
    [
        (convolution(), [{"p", "q"}, {"r", "s"}]),
        (convolution(size=(8, 10)), []),
        (convolution(size=(8, 7), stride=(1, 1), kernel=(4, 3)), []),
        (convolution(size=(9, 9), stride=(2, 2)), [{"p", "q"}, {"r", "s"}]),
        (convolution(size=(8, 16), kernel=(2, 2), stride=(1, 2)), []),
        (problem_of(matmul("p", rows=4, inner=4, columns=4)), []),
    ],
)  # fmt: skip
def test_rows_and_columns_of_squares_change_places(problem, pairs):
    assert exchanged(problem, eyeriss_like()) == set(map(frozenset, pairs))


def test_what_a_node_tells_apart_stays():
    hierarchy = eyeriss_like()
    nodes = tuple(
        Array(node.name, node.size, frozenset("pm")) if isinstance(node, Array) else node for node in hierarchy.nodes
    )
    assert exchanged(convolution(), type(hierarchy)("restricted", nodes, 1.0)) == set()


SQUARE = problem_of(conv2d("c", batch=1, in_channels=1, out_channels=2, input_size=(3, 3), kernel=(2, 2)))


@settings(max_examples=100, deadline=None)
@given(hierarchies(), st.integers(0, 999))
def test_the_mirror_image_of_a_mapping_costs_the_same(hierarchy, seed):
    shuffle = random.Random(seed)
    free = type(hierarchy)("free", tuple(_free(node) for node in hierarchy.nodes), 1.0)
    trips = [[] for _ in free.nodes]
    for name, bound in zip(SQUARE.names, SQUARE.bounds, strict=True):
        for loops, size in zip(trips, shuffle.choice(splits(bound, len(trips))), strict=True):
            loops.append((name, size))
    for loops in trips:
        shuffle.shuffle(loops)
    image = [[("mqpsr"["mpqrs".index(name)], size) for name, size in loops] for loops in trips]
    assert evaluate(Mapping(tuple(map(tuple, image))), SQUARE, free) == evaluate(Mapping(tuple(map(tuple, trips))), SQUARE, free)


def _free(node):
    if isinstance(node, Array):
        return replace(node, size=99, dimensions=None)
    return replace(node, dimensions=None, stationary=None, bits=None, words=(None,) * 3)


@settings(max_examples=60, deadline=None)
@given(hierarchies(), st.sampled_from(OBJECTIVES))
def test_a_search_of_one_half_finds_the_optimum(hierarchy, objective):
    assume(brute_size(SQUARE, hierarchy) <= 600)
    least = best(SQUARE, hierarchy, lambda cost: value(cost, objective))
    with mock.patch("hwsim.mapping.search.BEAMS", ()):
        compare(SQUARE, hierarchy, objective, least)
