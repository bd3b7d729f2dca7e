"""Padded operators: which are searched, that the best of them all is found, and what hand-written ones cost."""

import itertools
import math
import re
from unittest import mock

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from hwsim.errors import HwsimError
from hwsim.mapper import cost_mapping, map_operator
from hwsim.mapping.compulsory import least_value
from hwsim.mapping.filling import most_instances
from hwsim.mapping.given import GivenMapping
from hwsim.mapping.hierarchy import Array, Hierarchy, Memory
from hwsim.mapping.mapping import Mapping, evaluate
from hwsim.mapping.objective import Objective
from hwsim.mapping.padding import SLACK, padded, padded_bounds
from hwsim.mapping.problem import problem_of
from hwsim.mapping.search import best_of, optimum, search
from hwsim.workload.contraction import conv2d, matmul
from tests.mapping.brute import best, mappings, splits
from tests.mapping.hierarchies import arrays, hierarchies, memories, problems
from tests.mapping.test_search import OBJECTIVES, brute_size, value

fans = st.lists(st.tuples(st.sampled_from([2, 3, 4, 6, 7]), st.tuples(*[st.booleans()] * 3)), min_size=0, max_size=2).map(tuple)
sizes = st.tuples(*[st.sampled_from([1, 2, 3, 4, 5, 6, 7, 9, 11, 12, 13])] * 3)


def filled(bounds, fans):
    """Most instances, over every way to split every bound over the arrays and the time."""
    ways = [
        [split for split in splits(bound, len(fans) + 1) if all(used == 1 or accepted[d] for used, (_, accepted) in zip(split, fans, strict=False))]
        for d, bound in enumerate(bounds)
    ]  # fmt: skip
    used = [[math.prod(column) for column in zip(*way, strict=True)][: len(fans)] for way in itertools.product(*ways)]
    return max(math.prod(one) for one in used if all(n <= size for n, (size, _) in zip(one, fans, strict=True)))


@settings(max_examples=300, deadline=None)
@given(sizes, fans)
@example((12, 1, 1), ((4, (True,) * 3), (2, (True,) * 3)))  # 3 * 2 are more than 4 * 1
def test_most_instances_is_the_most_over_every_split(bounds, fans):
    assert most_instances(bounds, fans) == filled(bounds, fans)


def naive_padded_bounds(bounds, fans):
    options = []
    for d, bound in enumerate(bounds):
        fan = math.prod(size for size, accepted in fans if accepted[d])
        options.append({math.ceil(bound / f) * f for f in range(1, bound + 1) if fan % f == 0} | {bound})
    cycles = {
        one: math.prod(one) / filled(one, fans) for one in itertools.product(*options)
        if sum(a != b for a, b in zip(one, bounds, strict=True)) <= len(fans)
    }  # fmt: skip
    quick = {one: c for one, c in cycles.items() if c < cycles[bounds]}
    if not quick:
        return set()
    fastest = min(quick, key=lambda one: (quick[one], one))
    near = [one for one in quick if quick[one] < min(cycles[bounds], quick[fastest] * (1 + SLACK))]

    def tiles(one):
        return math.prod(sum(n % d == 0 for d in range(1, n + 1)) for n in one)

    return {fastest, min(near, key=lambda one: (-tiles(one), quick[one], one))}


@settings(max_examples=150, deadline=None)
@given(sizes, fans)
def test_the_padded_operators_are_the_fastest_and_the_freest(bounds, fans):
    assert set(padded_bounds(bounds, fans)) == naive_padded_bounds(bounds, fans)


@st.composite
def awkward(draw):
    """Products with prime sizes and convolutions on a memory, an array and a memory or a second array."""
    outer = Memory("dram", (True,) * 3, (8, 8, 8), (3.0, 2.0, 4.0), (3.0, 2.0, 5.0), bits_per_cycle=draw(st.sampled_from([None, 16.0, 64.0])))
    inner = draw(st.sampled_from(["memory", "array", "both"]))
    last = {"memory": [draw(memories("inner", st.just((True,) * 3)))], "array": [draw(arrays("second"))]}
    nodes = [outer, draw(arrays("first")), *last.get(inner, [*last["memory"], *last["array"]])]
    row = [2, 3, 5, 7, 13]
    operator = draw(
        st.sampled_from([
            *(matmul("p", rows=n, inner=c, columns=m) for n in row for c in (1, 3, 5) for m in (1, 2, 7)),
            conv2d("c", batch=1, in_channels=1, out_channels=5, input_size=(5, 1), kernel=(3, 1), padding=(1, 0)),
        ])
    )  # fmt: skip
    return problem_of(operator), Hierarchy("small", tuple(nodes), draw(st.integers(0, 4)) * 1.0)


@settings(max_examples=300, deadline=None)
@given(awkward(), st.sampled_from(OBJECTIVES), st.sampled_from([(), (1,)]))
def test_the_optimum_equals_brute_force_over_all_padded_operators(case, objective, beams):
    problem, hierarchy = case
    every = [problem, *padded(problem, hierarchy, Objective.parse(objective))]
    assume(sum(brute_size(one, hierarchy) for one in every) <= 1500)
    least = min(best(one, hierarchy, lambda cost: value(cost, objective)) for one in every)
    optimum.cache_clear()
    with mock.patch("hwsim.mapping.search.BEAMS", beams):
        if math.isinf(least):
            with pytest.raises(HwsimError, match=r"^no mapping fits small: "):
                search(problem, hierarchy, Objective.parse(objective), padding=True)
            return
        found = search(problem, hierarchy, Objective.parse(objective), padding=True)
    assert value(found.cost, objective) == pytest.approx(least, rel=1e-9, abs=1e-9)
    assert evaluate(found.mapping, found.problem, hierarchy) == found.cost
    assert found.problem in every
    assert found.certificate.padded == found.certificate.alternatives - 1 == len(every) - 1


@settings(max_examples=300, deadline=None)
@given(problems(), hierarchies(), st.sampled_from(OBJECTIVES))
def test_no_mapping_costs_less_than_is_compulsory(problem, hierarchy, objective):
    assume(brute_size(problem, hierarchy) <= 300)
    least = least_value(problem, hierarchy, Objective.parse(objective))
    for mapping in mappings(problem, hierarchy):
        try:
            cost = evaluate(mapping, problem, hierarchy)
        except HwsimError:
            continue
        assert value(cost, objective) >= least * (1 - 1e-9)


def test_an_alternative_is_searched_unless_it_cannot_win():
    """The second is 1 % better, and its bound says so exactly."""
    problem = problem_of(matmul("p", rows=8, inner=4, columns=4))
    memory = Memory("dram", (True,) * 3, (8, 8, 8), (0.0,) * 3, (0.0,) * 3)
    dear, cheap = (Hierarchy("one", (memory,), pj) for pj in (1.0, 0.99))
    optimum.cache_clear()
    with mock.patch("hwsim.mapping.search.least_value", side_effect=[0.0, 0.99 * 128 * (1 - 1e-9)]):
        found = best_of([(problem, dear), (problem, cheap)])
    assert (found.alternative, found.certificate.unsearched) == (1, 0)


def test_what_cannot_win_is_not_searched():
    """Nothing but compute costs anything, and the array is full: all padding costs more."""
    free = Memory("dram", (True,) * 3, (8, 8, 8), (0.0,) * 3, (0.0,) * 3)
    hierarchy = Hierarchy("full", (free, Array("array", 6, frozenset("n")), free), 1.0)
    found = search(problem_of(matmul("p", rows=13, inner=2, columns=2)), hierarchy, Objective.parse("energy"), padding=True)
    assert (found.certificate.alternatives, found.certificate.unsearched) == (2, 1)
    assert found.problem.bounds == (13, 2, 2)


VOCABULARY = matmul("head", rows=64, inner=96, columns=1009)


def test_a_prime_dimension_fills_the_array_when_padded():
    plain, free = (map_operator(VOCABULARY, objective="latency", padding=padding) for padding in (False, True))
    assert plain.padded == {}
    assert free.padded == {"m": 1015}  # 7 * 145: 14 columns, of which factors of 2 and 3 fill 12 at most beside 12 rows
    assert free.latency_s / plain.latency_s == pytest.approx(1015 / 1009 * 96 / 168)


def test_a_padded_optimum_written_by_hand_costs_the_same():
    mapped = map_operator(VOCABULARY, objective="edp")
    found = mapped.found
    loops = {node.name: loops for node, loops in zip(found.hierarchy.nodes, found.mapping.loops, strict=True)}
    bypass = {} if found.hierarchy.nodes[1].holds[1] else {"global_buffer": ["weight"]}
    exchanged = found.problem.operands[0] != "input"
    given = GivenMapping(loops=loops, bypass=bypass, padded=mapped.padded, exchanged=exchanged)
    assert mapped.padded
    assert cost_mapping(VOCABULARY, given).found.cost == found.cost


def test_points_beyond_the_operands_work_and_full_tiles_are_no_larger_than_the_operand():
    """Rows 3 padded to 4 on two instances; everything that one pass moves by hand."""
    dram = Memory("dram", (True,) * 3, (8, 8, 8), (100.0,) * 3, (100.0,) * 3)
    registers = Memory("registers", (True,) * 3, (8, 8, 8), (1.0,) * 3, (1.0,) * 3)
    hierarchy = Hierarchy("two", (dram, Array("array", 2), registers), 5.0)
    problem = problem_of(matmul("p", rows=3, inner=2, columns=2)).padded((4, 2, 2))
    split = evaluate(Mapping(((("n", 2),), (("n", 2),), (("m", 2), ("c", 2)))), problem, hierarchy)
    assert split.compute_cycles == 8
    assert [moved.reads for moved in split.traffic[0]] == [8, 4, 2]  # 4 rows of 2; of 8 sums 6 exist and begin at zero
    whole = evaluate(Mapping(((), (("n", 2),), (("n", 2), ("m", 2), ("c", 2)))), problem, hierarchy)
    assert [moved.reads for moved in whole.traffic[0]] == [6, 4, 0]
    assert whole.traffic[2][0].reads == problem.points == 16
    assert whole.energy_pj >= 16 * (5 + 3)


@pytest.mark.parametrize(
    ("padded", "message"),
    [
        ({"c": 20}, "dimension c must be padded to 96 or more, not 20"),
        ({"q": 20}, "padded dimension must be one of n, m, c, not 'q'"),
        ({"m": 1010}, "loops over m must multiply to 1010, not 1009"),
    ],
)
def test_wrong_padding_is_refused(padded, message):
    with pytest.raises(HwsimError, match=f"^{re.escape(message)}$"):
        cost_mapping(VOCABULARY, GivenMapping(loops={"dram": [("n", 64), ("c", 96), ("m", 1009)]}, padded=padded))
