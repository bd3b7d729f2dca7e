"""Nests against Python's own loops."""

import itertools

import pytest
from hypothesis import given

from rtl.memory import Coordinate, Nest
from tests.rtl.memory.test_generator import nests


def walked(nest):
    """Address, and whether every coordinate is inside, step by step."""
    for index in itertools.product(*map(range, nest.counts)):
        inside = True
        for axis in nest.coordinates:
            place = axis.start + sum(i * stride for i, stride in zip(index, axis.strides, strict=True))
            inside = inside and 0 <= place < axis.size
        yield nest.start + sum(i * stride for i, stride in zip(index, nest.strides, strict=True)), inside, index


@given(nests())
def test_steps_are_those_of_loops(nest):
    steps = nest.compute()
    outer, inner = len(nest.counts) - nest.inner, [count - 1 for count in nest.counts]
    for step, (address, inside, index) in enumerate(walked(nest)):
        assert (steps["address"][step], steps["inside"][step]) == (address, inside)
        assert steps["first"][step] == (not any(index[outer:]))
        assert steps["last"][step] == (list(index[outer:]) == inner[outer:])
    assert step + 1 == nest.steps


@given(nests())
def test_address_range_is_that_of_the_steps_inside(nest):
    addresses = [address for address, inside, _ in walked(nest) if inside]
    assert nest.address_range() == ((min(addresses), max(addresses)) if addresses else None)


@given(nests())
def test_increments_lead_from_step_to_step(nest):
    increments, address = nest.increments(nest.strides), nest.start
    steps = list(walked(nest))
    for (expected, _, index), (_, _, after) in itertools.pairwise(steps):
        assert address == expected
        advanced = next(loop for loop in range(len(index)) if index[loop] != after[loop])
        address += increments[advanced]
    assert address == steps[-1][0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"strides": (1,)}, "strides must be one per loop of 2"),
        ({"coordinates": (Coordinate(start=0, strides=(1,), size=1),)}, "strides must be one per loop of 2"),
        ({"inner": 3}, "inner must be at most the 2 loops"),
    ],
)
def test_a_nest_that_cannot_be_is_named(fields, message):
    with pytest.raises(ValueError, match=message):
        Nest(**{"counts": (2, 3), "strides": (1, 2), **fields})
