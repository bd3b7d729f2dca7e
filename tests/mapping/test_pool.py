"""Operands that leave a buffer at different loops: memories that share one capacity."""

import math
import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hwsim.errors import HwsimError
from hwsim.mapping.hierarchy import Array, Hierarchy, Memory
from hwsim.mapping.mapping import Mapping, evaluate
from hwsim.mapping.problem import problem_of
from hwsim.mapping.search import search
from hwsim.workload.contraction import matmul
from tests.mapping.brute import best
from tests.mapping.hierarchies import arrays, energies, problems
from tests.mapping.test_search import OBJECTIVES, brute_size, compare, value

ONES = (1.0,) * 3
DRAM = Memory("dram", (True,) * 3, (8, 8, 8), (10.0,) * 3, (10.0,) * 3)
SPLITS = [((True, False, False), (False, True, True)), ((False, True, True), (True, False, False)), ((False, False, True), (True, True, False))]


@st.composite
def pools(draw):
    """Two memories with one capacity, with or without an array inside, between or outside."""
    bits = draw(st.sampled_from([32, 64, 96, 160]))
    held = draw(st.sampled_from(SPLITS))
    nodes = [
        Memory(f"memory{i}", holds, draw(st.sampled_from([(8, 8, 8), (16, 8, 32)])), draw(energies), draw(energies), bits=bits, pooled=True)
        for i, holds in enumerate(held)
    ]  # fmt: skip
    if draw(st.booleans()):
        nodes.insert(draw(st.integers(0, 2)), draw(arrays("array")))
    return Hierarchy("small", (DRAM, *nodes), 1.0)


@settings(max_examples=150, deadline=None)
@given(problems(), pools(), st.sampled_from(OBJECTIVES))
def test_the_optimum_equals_brute_force(problem, hierarchy, objective):
    assume(brute_size(problem, hierarchy) <= 600)
    least = best(problem, hierarchy, lambda cost: value(cost, objective))
    if math.isinf(least):
        with pytest.raises(HwsimError, match=r"^no mapping fits small: memor.* missing, for a single point$"):
            search(problem, hierarchy)
    else:
        compare(problem, hierarchy, objective, least)


PRODUCT = problem_of(matmul("p", rows=4, inner=4, columns=4))


def split(bits):
    first, second = ((True, False, False), (False, True, True))
    return Hierarchy(
        "split", (DRAM, *(Memory(name, held, (8, 8, 8), ONES, ONES, bits=bits, pooled=True) for name, held in (("outer", first), ("inner", second)))), 1.0
    )  # fmt: skip


def test_a_capacity_is_shared():
    """An input of 16 words stays while one column of weights and results, 4 words each, passes."""
    mapping = Mapping(((), (("m", 4),), (("n", 4), ("c", 4))))
    cost = evaluate(mapping, PRODUCT, split(24 * 8))
    assert [moved.reads for moved in cost.traffic[0]] == [16, 16, 0]
    message = "memories outer, inner hold 184 bits together; the tiles need 192: 1 byte missing"
    with pytest.raises(HwsimError, match=f"^{re.escape(message)}$"):
        evaluate(mapping, PRODUCT, split(23 * 8))


def test_what_not_even_a_point_fits_is_said():
    with pytest.raises(HwsimError, match=(
        r"^no mapping fits split: memories outer, inner hold 16 bits together; the tiles need 24: 1 byte missing, "
        r"for a single point$"
    )):
        search(PRODUCT, split(16))


def test_leaving_at_different_loops_saves_traffic():
    """In 22 words all inputs stay while two weights and four results pass; an even buffer would need four weights."""
    even = Hierarchy("even", (DRAM, Memory("buffer", (True,) * 3, (8, 8, 8), ONES, ONES, bits=22 * 8)), 1.0)
    assert search(PRODUCT, split(22 * 8)).cost.energy_pj < search(PRODUCT, even).cost.energy_pj


def test_a_pool_is_one_capacity():
    nodes = (DRAM, *(Memory(name, (True,) * 3, (8, 8, 8), ONES, ONES, bits=size, pooled=True) for name, size in (("a", 8), ("b", 16))))
    with pytest.raises(ValueError, match=r"^pooled memories must have the same bits$"):
        Hierarchy("wrong", (*nodes, Array("array", 2)), 1.0)
