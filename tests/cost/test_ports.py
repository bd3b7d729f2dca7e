"""Rows, ports, hops and lanes of a hierarchy: what they change, and that the search knows of it."""

import itertools
import math
from dataclasses import replace
from unittest import mock

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hwsim import Workload, score
from hwsim.architecture import load_architecture
from hwsim.architecture.base import in_rows
from hwsim.mapper import map_operator
from hwsim.mapping.canonical import canonical
from hwsim.mapping.hierarchy import Memory, Port
from hwsim.mapping.objective import Objective
from hwsim.mapping.search import optimum, search
from hwsim.workload import Operand, Operator
from hwsim.workload.contraction import conv2d, matmul
from tests.chips import chip
from tests.mapping.brute import best
from tests.mapping.hierarchies import hierarchies, problems

CONV = conv2d("c", batch=2, in_channels=8, out_channels=16, input_size=(8, 8), kernel=(3, 3), padding=(1, 1))
flags = st.tuples(*[st.booleans()] * 3)
ports = st.lists(st.builds(Port, st.sampled_from([4.0, 16.0]), flags, flags), max_size=2).map(tuple)


@st.composite
def waiting(draw):
    """A hierarchy with ports of any kind, single buffers, and arrays that take time per pass."""
    hierarchy = draw(hierarchies())
    nodes = [
        replace(one, further_ports=draw(ports), double_buffered=draw(st.booleans())) if isinstance(one, Memory)
        else replace(one, pass_cycles=draw(st.sampled_from([0.0, 0.5, 3.0])))
        for one in hierarchy.nodes
    ]  # fmt: skip
    return replace(hierarchy, nodes=tuple(nodes))


@settings(max_examples=100, deadline=None)
@given(problems(), waiting(), st.sampled_from(["latency", "edp"]))
def test_the_optimum_with_ports_and_waits_equals_brute_force(problem, hierarchy, objective):
    assume(math.prod(len(hierarchy.nodes) ** math.log2(bound) for bound in problem.bounds) <= 200)
    energy = objective == "edp"
    least = best(problem, hierarchy, lambda cost: cost.energy_pj**energy * cost.cycles)
    assume(math.isfinite(least))
    optimum.cache_clear()
    with mock.patch("hwsim.mapping.search.BEAMS", (1,)):  # so that the bounds matter
        found = search(problem, hierarchy, Objective.parse(objective)).cost
    form = canonical(problem, hierarchy)
    known = optimum(((form.problem, form.hierarchy),), Objective.parse(objective))
    assert known.value == pytest.approx(least)  # the search adds up the same time as the model
    assert found.energy_pj**energy * found.cycles == pytest.approx(least)


@given(st.integers(1, 70), st.integers(1, 70))
def test_words_lie_in_rows(bits, row_bits):
    """Rows filled one word after the other: none that fits a row crosses a border."""
    words, rows, free = 60 * max(row_bits // bits, 1), 0, 0
    for _ in range(words):
        if free < bits:
            rows, free = rows + math.ceil(bits / row_bits), row_bits
        free = max(free - bits, 0)
    assert in_rows(bits, row_bits) * words == pytest.approx(rows * row_bits)
    assert in_rows(bits, None) == bits


def priced(operator, path):
    return score(Workload(name="w", operators=(operator,)), path).operators[0]


def buffer(folder, fields):
    return chip(folder, ("bits: 65536", f"bits: 65536, {fields}"))


def test_a_row_costs_energy_capacity_and_time(tmp_path):
    wide, narrow = (map_operator(CONV, buffer(tmp_path, f"row_bits: {row}"), "edp").found for row in (32, 40))
    assert wide.hierarchy.memory(1).word_bits == (32, 32, 32)
    assert narrow.hierarchy.memory(1).word_bits == (40, 40, 40)
    assert narrow.hierarchy.memory(1).read_pj[0] == pytest.approx(wide.hierarchy.memory(1).read_pj[0] * 40 / 32)
    assert priced(CONV, buffer(tmp_path, "row_bits: 64")) == priced(CONV, chip(tmp_path))
    limited = buffer(tmp_path, "row_bits: 40, bits_per_cycle: 2")
    cost, found = priced(CONV, limited), map_operator(CONV, limited, "edp").found
    assert cost.bound == "buffer"
    assert cost.latency_s == pytest.approx(sum(t.reads + t.writes for t in found.cost.traffic[1]) * 40 / 2 / 100e6)
    assert {c.bits for c in cost.charges if c.component == "global_buffer"} == {40}
    assert cost.energy_pj > priced(CONV, buffer(tmp_path, "bits_per_cycle: 2")).energy_pj


def test_streams_move_rows_too(tmp_path):
    work = Operator(name="e", primitive="elementwise", dims={"x": 64}, arithmetic={"add": 1}, operands=(
        Operand(name="x", shape=(64,), format="fp32"), Operand(name="y", shape=(64,), format="fp32", access="write"),
    ))  # fmt: skip
    rows = priced(work, buffer(tmp_path, "row_bits: 40, ports: {shared: 1}"))
    assert {c.bits for c in rows.charges if c.component == "global_buffer"} == {40}
    narrow = priced(work, buffer(tmp_path, "row_bits: 32, bits_per_cycle: 8"))
    split = priced(work, buffer(tmp_path, "row_bits: 32, read_bits_per_cycle: 8, write_bits_per_cycle: 16"))
    assert narrow.latency_s == split.latency_s == pytest.approx(2 * 64 * 32 / 8 / 100e6)


@pytest.mark.parametrize(
    ("ports", "same"),
    [
        ("{shared: 1}", "bits_per_cycle: 4"),
        ("{read: 1, write: 2}", "read_bits_per_cycle: 4, write_bits_per_cycle: 8"),
        ("{read: 1, shared: 1}", "bits_per_cycle: 8, read_bits_per_cycle: 8, write_bits_per_cycle: 4"),
    ],
)
def test_ports_are_rows_per_cycle(tmp_path, ports, same):
    counted = priced(CONV, buffer(tmp_path, f"row_bits: 4, ports: {ports}"))
    assert counted == priced(CONV, buffer(tmp_path, f"row_bits: 4, {same}"))
    assert counted.bound == "buffer"


def test_a_port_of_one_factor_tells_the_factors_apart(tmp_path):
    """A matrix and its transpose cost the same if factors may change ports, whichever port is slow."""
    slow = "port_bits_per_cycle: {input: 1}"
    even = ("words: {input: 4, weight: 16, output: 4}", "words: {input: 8, weight: 8, output: 8}")
    path = chip(tmp_path, ("bits: 65536", f"bits: 65536, {slow}"), even)
    assert not load_architecture(path)[0].symmetric
    one, other = (map_operator(matmul("p", rows=a, inner=8, columns=b), path, "latency") for a, b in ((2, 64), (64, 2)))
    assert one.latency_s == pytest.approx(other.latency_s)


def test_hops_cost_energy_and_a_wait_per_pass(tmp_path):
    far = chip(tmp_path, ("size: 4,", "size: 4, hops: 2.5, hop_cycles: 2,"))
    found, cost = map_operator(CONV, far, "edp").found, priced(CONV, far)
    passes = math.prod(size for _, size in itertools.chain(*found.mapping.loops[:2]))
    moved = sum(t.writes for t in found.cost.traffic[2])
    assert sum(c.times for c in cost.charges if c.component == "network") == pytest.approx(2.5 * moved)
    ports = [sum(t.reads + t.writes for t in found.cost.traffic[0]) * 32 / 128, found.cost.compute_cycles]
    assert cost.energy_pj == pytest.approx(found.cost.energy_pj)
    assert cost.latency_s * 100e6 == pytest.approx(found.cost.cycles) == pytest.approx(max(ports) + 5 * passes)


def test_lanes_go_by_primitive_and_formats(tmp_path):
    listed = "{int8*int4: 2, int8: 3, mac: 4, mac:int8: 5, mac:int4*int8: 6, shift: 7}"
    architecture = load_architecture(chip(tmp_path, fields=f"lanes: {listed}"))[0]
    asked = {
        ("mac", "int4", "int8", "int8"): 6, ("mac", "int8", "int4", "int8"): 6, ("mac", "int8", "int8", "int8"): 5,
        ("mac", "fp32", "fp32", "fp32"): 4, ("shift", "int8", "int8", "int8"): 7, ("add", "int4", "int8", "int8"): 2,
        ("add", "int8", "int8", "int8"): 3, ("add", "fp32", "fp32", "fp32"): 1,
    }  # fmt: skip
    assert {key: architecture.lanes_of(*key) for key in asked} == asked
