"""Flows of operators that are no contractions equal those of a machine that walks their elements one by one."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim import HwsimError, Workload, score
from hwsim.architecture import load_architecture
from hwsim.cost.flows import flows_of
from hwsim.cost.gather import gather_flows
from hwsim.workload import Operand, Operator
from tests.chips import chip


def architecture(folder, bits=65536, fields=""):
    return load_architecture(chip(folder, bits=bits, fields=fields))[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("chips")


def operand(name, *shape, access="read", format_="fp32", **fields):
    return Operand(name=name, shape=shape, format=format_, access=access, **fields)


def norm(shape, reduced, *, factors=1):
    read = [operand(f"x{i}", *shape) for i in range(factors)]
    return Operator(
        name="norm", primitive="elementwise", dims={"x": math.prod(shape)}, reduced=reduced, arithmetic={"add": 1},
        operands=(*read, operand("scale", shape[-1]), operand("y", *shape, access="write")),
    )  # fmt: skip


def read_by_a_machine(shape, reduced, capacity):
    """Words fetched from outside by a memory of ``capacity`` words that keeps the group it last saw, whole or not at all."""
    elements = np.arange(math.prod(shape)).reshape(shape)
    kept = [axis for axis in range(len(shape)) if axis not in reduced]
    groups = elements.transpose(*kept, *reduced).reshape(-1, math.prod(shape[axis] for axis in reduced))
    fetched = 0
    for group in groups:
        held = set()
        for _statistic_then_use in range(2):
            for word in group:
                if word not in held:
                    fetched += 1
                    if len(group) <= capacity:
                        held.add(word)
    return fetched


@given(st.lists(st.integers(1, 5), min_size=2, max_size=4), st.data())
def test_statistics_read_their_group_twice_unless_it_fits(folder, shape, data):
    reduced = tuple(sorted(data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))))
    factors, words = data.draw(st.integers(1, 2)), data.draw(st.integers(1, 200))
    operator = norm(shape, reduced, factors=factors)
    flows = flows_of(operator, architecture(folder, bits=32 * words))
    # the scale is as large as the rest where there is but one row; then it is read again with them
    again = [one for one in operator.operands if one.access == "read" and one.elements == math.prod(shape)]
    expected = read_by_a_machine(shape, reduced, words // len(again))
    for flow, one in zip(flows, operator.operands, strict=True):
        assert flow.words[0] == (expected if one in again else one.elements)
        assert flow.words[-1] == one.elements * (2 if one in again else 1)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 6), st.integers(1, 6))
def test_overlapping_windows_are_read_once_if_their_rows_fit(folder, kernel, stride, dilation, rows, columns):
    extents = [stride * (n - 1) + dilation * (kernel - 1) + 1 for n in (rows, columns)]
    pool = Operator(
        name="pool", primitive="elementwise", dims={"n": 2, "p": rows, "q": columns, "r": kernel, "s": kernel},
        arithmetic={"add": 1},
        operands=(
            operand("x", 2, *extents, projection=("n", f"{stride}*p + {dilation}*r", f"{stride}*q + {dilation}*s")),
            operand("y", 2, rows, columns, access="write", projection=("n", "p", "q")),
        ),
    )  # fmt: skip
    touched = sum(1 for _ in itertools.product(range(2), range(rows), range(columns), range(kernel), range(kernel)))
    held = (dilation * (kernel - 1) + 1) * extents[1]
    roomy, tight = (flows_of(pool, architecture(folder, bits=32 * words))[0] for words in (held, max(held - 1, 1)))
    assert roomy.words[0] == 2 * extents[0] * extents[1]
    if touched > roomy.words[0]:
        assert roomy.words[1:] == (touched,) * 3
        assert tight.words[0] == (touched if held > 1 else roomy.words[0])


def gather(rows, row, table):
    return Operator(
        name="gather", primitive="gather", dims={"x": rows * row},
        operands=(operand("weight", rows, row), operand("indices", rows, format_="int64", role="index"),
                  operand("out", rows, row, access="write")),
    )  # fmt: skip


def scatter(rows, row, table, *, add):
    return Operator(
        name="scatter", primitive="gather", dims={"x": rows * row}, arithmetic={"add": 1} if add else {},
        operands=(operand("source", rows, row), operand("index", rows, format_="int64", role="index"),
                  operand("out", table, row, access="write")),
    )  # fmt: skip


def bursts_of(places, row, burst_words):
    """Bursts that rows at ``places`` touch, each row at the start of a burst."""
    pitch = -(-row // burst_words) * burst_words
    return sum(len({(place * pitch + word) // burst_words for word in range(row)}) for place in places)


@given(st.integers(1, 30), st.integers(1, 20), st.integers(1, 50), st.sampled_from([4, 8, 64]), st.booleans(), st.data())
def test_gathers_and_scatters_move_whole_bursts(folder, rows, row, table, burst, add, data):
    places = data.draw(st.lists(st.integers(0, table - 1), min_size=rows, max_size=rows))
    bursts = bursts_of(places, row, burst // 4) * (burst // 4)
    small = architecture(folder, bits=1, fields=f"dram_burst_bytes: {burst}")
    assert [flow.words[0] for flow in gather_flows(gather(rows, row, table), small)] == [bursts, rows, rows * row]
    touched = (2 if add else 1) * bursts
    assert gather_flows(scatter(rows, row, table, add=add), small)[2].words[0] == table * row + touched
    large = architecture(folder, bits=32 * table * row, fields=f"dram_burst_bytes: {burst}")
    assert gather_flows(scatter(rows, row, table, add=add), large)[2].words[0] == table * row
    assert gather_flows(scatter(rows, row, table, add=add), large)[2].words[1] == (
        table * row + (2 if add else 1) * rows * row
    )


def test_without_bursts_only_the_rows_themselves_move(folder):
    assert gather_flows(gather(5, 3, 9), architecture(folder))[0].words[0] == 15


def test_ports_on_chip_limit_streams_too(folder):
    work = Workload(name="w", operators=(norm((64, 64), (1,)),))
    wide = score(work, chip(folder)).operators[0]
    narrow = score(work, chip(folder, ("bits: 65536", "bits: 65536, bits_per_cycle: 16"))).operators[0]
    assert (wide.bound, narrow.bound) == ("dram", "global_buffer")
    assert narrow.latency_s == pytest.approx((3 * 4096 + 64) * 32 / 16 / 100e6)


def test_a_statistic_over_no_axis_of_the_operand_is_refused():
    with pytest.raises(ValueError, match=r"reduced must name axes of the largest operand, which has 2: \[2\]"):
        norm((4, 4), (2,))


def test_the_bill_tells_of_a_second_read(folder):
    fits, spills = (
        score(Workload(name="w", operators=(norm((64, 64), (0, 1)),)), chip(folder, bits=bits)).operators[0]
        for bits in (64 * 64 * 32, 64 * 64 * 32 - 1)
    )
    assert (fits.note, spills.note) == ("streamed once", "read more than once: does not fit on chip")
    dram = [sum(c.times for c in one.charges if c.component == "dram") for one in (fits, spills)]
    assert dram == [2 * 4096 + 64, 3 * 4096 + 64]
    assert spills.latency_s > fits.latency_s


def test_errors_name_the_operator(folder):
    plain = norm((4, 4), (1,))
    operands = tuple(operand.model_copy(update={"format": "fp64"}) for operand in plain.operands)
    odd = plain.model_copy(update={"arithmetic": {"shift": 1}, "operands": operands})
    with pytest.raises(HwsimError, match=r"^norm: technology shiftaddnet-45nm has no coefficient shift\.fp64"):
        score(Workload(name="w", operators=(odd,)), chip(folder))
