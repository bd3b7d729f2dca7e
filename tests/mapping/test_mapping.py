"""The reference model against a machine that walks the loop nest step by step, and by hand."""

import itertools
import math
import random
import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hwsim.errors import HwsimError
from hwsim.mapping.hierarchy import Array, Hierarchy, Memory
from hwsim.mapping.mapping import Mapping, evaluate
from hwsim.mapping.problem import problem_of
from hwsim.workload.contraction import matmul
from tests.mapping.brute import splits
from tests.mapping.hierarchies import hierarchies, problems


def walk(mapping, problem, hierarchy):
    """Words read and written per node and operand, by executing every temporal step with sets of elements.

    Holds one tile per memory instance; moves a tile when its elements change. Results are not followed here.
    """
    nodes = hierarchy.nodes
    flat = [(k, name, size) for k, loops in enumerate(mapping.loops) for name, size in loops]
    stride = {}
    for name in problem.names:
        inner = 1
        for position in reversed([i for i, loop in enumerate(flat) if loop[1] == name]):
            stride[position] = inner
            inner *= flat[position][2]
    steps = [i for i, (k, _, _) in enumerate(flat) if isinstance(nodes[k], Memory)]
    counts = {}
    for operand in (0, 1):
        holders = [k for k, node in enumerate(nodes) if isinstance(node, Memory) and node.holds[operand]]
        for parent, child in zip(holders, [*holders[1:], len(nodes)], strict=True):
            outside = [i for i in steps if flat[i][0] < child]
            inside = [i for i in range(len(flat)) if flat[i][0] >= child]
            between = [i for i in range(len(flat)) if i not in steps and parent < flat[i][0] < child]
            beyond = [i for i in range(len(flat)) if i not in steps and flat[i][0] < parent]
            held = None
            for at in itertools.product(*(range(flat[i][2]) for i in outside)):
                base = dict(zip(outside, at, strict=True))
                relevant = {flat[i][1] for i in base if problem.relevant[operand][problem.names.index(flat[i][1])]}
                key = tuple(index for i, index in base.items() if flat[i][1] in relevant)
                if child < len(nodes) and key == held:
                    continue
                held = key
                for far in itertools.product(*(range(flat[i][2]) for i in beyond)):
                    here = base | dict(zip(beyond, far, strict=True))
                    delivered, union = 0, set()
                    for near in itertools.product(*(range(flat[i][2]) for i in between)):
                        elements = touched(problem, operand, flat, stride, here | dict(zip(between, near, strict=True)), inside)
                        delivered += len(elements)
                        union |= elements
                    counts[parent, operand, "reads"] = counts.get((parent, operand, "reads"), 0) + len(union)
                    if child < len(nodes):
                        counts[child, operand, "writes"] = counts.get((child, operand, "writes"), 0) + delivered
    return counts


def touched(problem, operand, flat, stride, fixed, inside):
    elements = set()
    for at in itertools.product(*(range(flat[i][2]) for i in inside)):
        index = fixed | dict(zip(inside, at, strict=True))
        point = [0] * len(problem.names)
        for i, value in index.items():
            point[problem.names.index(flat[i][1])] += value * stride[i]
        elements.add(tuple(sum(step * point[d] for d, step in axis.terms) for axis in problem.axes[operand]))
    return elements


@st.composite
def mapped(draw):
    """A hierarchy whose arrays multicast, a problem without padding, and any mapping of it."""
    problem = draw(problems(padded=False))
    hierarchy = draw(hierarchies())
    nodes = tuple(
        Array(node.name, 99, None, (True,) * 3, node.hop_pj) if isinstance(node, Array)
        else Memory(node.name, node.holds, node.word_bits, node.read_pj, node.write_pj)
        for node in hierarchy.nodes
    )  # fmt: skip
    shuffle = random.Random(draw(st.integers(0, 999)))
    trips = [[] for _ in nodes]
    for name, bound in zip(problem.names, problem.bounds, strict=True):
        for k, size in enumerate(shuffle.choice(splits(bound, len(nodes)))):
            if size > 1:
                trips[k].append((name, size))
    for loops in trips:
        shuffle.shuffle(loops)
    return Mapping(tuple(map(tuple, trips))), problem, Hierarchy("free", nodes, 1.0)


@settings(max_examples=400, deadline=None)
@given(mapped())
def test_factors_move_as_a_step_by_step_machine_moves_them(case):
    mapping, problem, hierarchy = case
    assume(problem.points <= 64)
    traffic = evaluate(mapping, problem, hierarchy).traffic
    for (k, operand, way), words in walk(mapping, problem, hierarchy).items():
        assert getattr(traffic[k][operand], way) == words, (k, operand, way)


@settings(max_examples=100, deadline=None)
@given(mapped())
def test_compute_cycles_are_the_temporal_steps(case):
    mapping, problem, hierarchy = case
    spatial = math.prod(
        size for node, loops in zip(hierarchy.nodes, mapping.loops, strict=True) if isinstance(node, Array)
        for _, size in loops
    )  # fmt: skip
    assert evaluate(mapping, problem, hierarchy).compute_cycles == problem.points // spatial


BUFFER = Memory("buffer", (True,) * 3, (8, 8, 32), (1.0, 1.0, 2.0), (1.0, 1.0, 3.0), words=(8, 8, 4), bits_per_cycle=16)
DRAM = Memory("dram", (True,) * 3, (8, 8, 8), (100.0,) * 3, (100.0,) * 3)
TWO = Hierarchy("two", (DRAM, Array("array", 2, frozenset("m")), BUFFER), 5.0)
PRODUCT = problem_of(matmul("p", rows=4, inner=6, columns=4))  # n=4, m=4, c=6
GOOD = Mapping(((("n", 2), ("m", 2), ("c", 3)), (("m", 2),), (("n", 2), ("c", 2))))


def test_a_product_by_hand():
    """Buffer tile n=2, m=1, c=2 in each of 2 instances; outside n=2, m=2, c=3 with c innermost: results stay."""
    dram, array, buffer = evaluate(GOOD, PRODUCT, TWO).traffic
    assert (buffer[0].writes, buffer[1].writes) == (12 * 2 * 4, 12 * 2 * 2)  # visits x instances x tile
    assert (dram[0].reads, dram[1].reads) == (12 * 4, 12 * 4)  # the input is multicast over m
    assert (buffer[0].reads, buffer[1].reads) == (96, 96)  # one for each of 4*4*6 points
    assert (dram[2].writes, dram[2].reads) == (16, 0)  # four visits of two instances of two results
    assert (buffer[2].writes, buffer[2].reads) == (96 + 0, 96 - 16 + 16)  # accumulation, then the drain
    assert array[0].writes == 96
    cost = evaluate(GOOD, PRODUCT, TWO)
    energy = 96 * 5 + 100 * (48 + 48 + 16) + 1 * (96 + 48 + 96 + 96) + 3 * 96 + 2 * 96
    assert cost.energy_pj == energy
    assert cost.compute_cycles == 48
    assert cost.cycles == ((96 + 96 + 48 + 96) * 8 + (96 + 96) * 32) / 16 / 2
    assert cost.bound == "buffer"


@pytest.mark.parametrize(
    ("loops", "message"),
    [
        (GOOD.loops[:2], "mapping must have loops for 3 nodes, not 2"),
        (((("n", 2), ("m", 2)), *GOOD.loops[1:]), "loops over c must multiply to 6, not 2"),
        (((("n", 2), ("c", 3)), (("m", 4),), GOOD.loops[2]), "array array has 2 instances; the mapping unrolls over 4"),
        (((("m", 4), ("c", 3)), (("n", 2),), GOOD.loops[2]), "array array cannot unroll n, only m"),
        (((("m", 2), ("n", 2), ("c", 1)), (("m", 2),), (("n", 2), ("c", 6))), "memory buffer holds 8 words of input; the tile needs 12: 4 bytes missing"),
    ],
)
def test_an_illegal_mapping_names_the_limit(loops, message):
    with pytest.raises(HwsimError, match=f"^{re.escape(message)}$"):
        evaluate(Mapping(loops), PRODUCT, TWO)
