"""Merged dimensions: what is merged, that mappings come back with the same cost, and that equal searches are one."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.mapping.canonical import canonical
from hwsim.mapping.hierarchy import Array, Memory
from hwsim.mapping.mapping import Mapping, evaluate
from hwsim.mapping.problem import problem_of
from hwsim.workload.contraction import conv2d, matmul
from tests.mapping.brute import splits
from tests.mapping.hierarchies import hierarchies, problems
from tests.mapping.test_search import eyeriss_like


def form(operator, hierarchy=None):
    problem = problem_of(operator)
    return canonical(problem, hierarchy or eyeriss_like())


def merged(found):
    return {"".join(found.original.names[part] for part in parts) for parts in found.parts}


def convolution(kernel, stride, size=(8, 8), **more):
    return conv2d(
        "c", batch=4, in_channels=6, out_channels=10, input_size=size, kernel=(kernel, kernel), stride=(stride, stride), **more
    )


@pytest.mark.parametrize(
    ("operator", "dimensions"),
    [
        (convolution(1, 1), {"npq", "m", "c"}),
        (convolution(1, 2), {"npq", "m", "c"}),
        (convolution(4, 4), {"npq", "m", "crs"}),
        (convolution(3, 1), {"n", "m", "c", "p", "q", "r", "s"}),
        (convolution(2, 2, padding=(1, 1)), {"n", "m", "c", "p", "q", "r", "s"}),
        (matmul("p", rows=4, inner=2, columns=3, batch=5), {"g", "n", "m", "c"}),
    ],
)
def test_alike_dimensions_are_merged(operator, dimensions):
    assert merged(form(operator)) == dimensions


def test_dimensions_that_an_array_treats_differently_are_not_alike():
    hierarchy = eyeriss_like()
    nodes = tuple(
        Array(node.name, node.size, frozenset("pm")) if isinstance(node, Array) else node for node in hierarchy.nodes
    )
    restricted = type(hierarchy)("restricted", nodes, 1.0)
    assert merged(form(convolution(1, 1), restricted)) == {"nq", "p", "m", "c"}


def test_a_product_and_the_gradient_that_is_the_same_product_have_one_form():
    one = form(matmul("forward", rows=4, inner=6, columns=10))
    other = form(matmul("gradient", rows=4, inner=10, columns=6, writes="input"))
    assert (one.problem, one.hierarchy) == (other.problem, other.hierarchy)


@settings(max_examples=150, deadline=None)
@given(problems(), hierarchies(), st.integers(0, 999))
def test_a_restored_mapping_costs_the_same(problem, hierarchy, seed):
    nodes = tuple(
        Array(node.name, math.prod(problem.bounds), None, node.shared, node.hop_pj) if isinstance(node, Array)
        else Memory(node.name, node.holds, node.word_bits, node.read_pj, node.write_pj, bits_per_cycle=node.bits_per_cycle)
        for node in hierarchy.nodes
    )  # fmt: skip
    roomy = type(hierarchy)("roomy", nodes, 1.0)
    found = canonical(problem, roomy)
    shuffle = random.Random(seed)
    trips = [[] for _ in nodes]
    for name, bound in zip(found.problem.names, found.problem.bounds, strict=True):
        for loops, size in zip(trips, shuffle.choice(splits(bound, len(nodes))), strict=True):
            loops.append((name, size))
    for loops in trips:
        shuffle.shuffle(loops)
    mapping = Mapping(tuple(map(tuple, trips)))
    here, there = evaluate(mapping, found.problem, found.hierarchy), evaluate(found.restore(mapping), problem, roomy)
    assert there == here
