"""The generator's hardware against its nest: every step, under backpressure, and its bank in a proof."""

import numpy as np
import pytest
from amaranth.hdl import Value
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.errors import InputError
from rtl.memory import AddressGenerator, Coordinate, Im2col, Nest
from tests.rtl.memory.test_im2col import convolutions

FIELDS = ("address", "inside", "first", "last")


@st.composite
def nests(draw):
    """Nests of few loops and small counts, with negative strides, that stay in a bank of 300 words."""
    loops = draw(st.integers(1, 5))
    per_loop = lambda values: draw(st.lists(values, min_size=loops, max_size=loops))  # noqa: E731
    axes = [
        Coordinate(start=draw(st.integers(-4, 4)), strides=per_loop(st.integers(-3, 3)), size=draw(st.integers(1, 9)))
        for _ in range(draw(st.integers(0, 2)))
    ]
    return Nest(
        counts=per_loop(st.integers(1, 4)), strides=per_loop(st.integers(-7, 7)), start=150, coordinates=axes,
        inner=draw(st.integers(0, loops)),
    )  # fmt: skip


def walk(generator, programs, ready=None):
    """The steps of each program in turn, the cycles from start to last step, and whether a fault was raised."""
    hardware, found, ready = generator.create(), [], iter(ready or [])

    async def drive(context):
        for program in programs:
            steps, cycles = [], 0
            context.set(hardware.program, program)
            context.set(hardware.start, 1)
            await context.tick()
            context.set(hardware.start, 0)
            while context.get(hardware.busy):
                cycles += 1
                taken = next(ready, True)
                context.set(hardware.steps.ready, taken)
                if taken and context.get(hardware.steps.valid):
                    step = hardware.steps.payload
                    steps.append([context.get(Value.cast(getattr(step, name))) for name in FIELDS])
                await context.tick()
            found.append((np.array(steps), cycles + 1, context.get(hardware.fault)))

    simulator = Simulator(hardware)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    return found


def check(steps, nest):
    expected = nest.compute()
    assert len(steps) == nest.steps
    for column, name in enumerate(FIELDS):
        counts = expected["inside"] if name == "address" else slice(None)
        np.testing.assert_array_equal(steps[counts, column], expected[name][counts])


@given(nests(), nests(), st.lists(st.booleans(), max_size=60))
@settings(max_examples=30, deadline=None)
def test_steps_are_the_nests_under_backpressure_and_again_with_another_program(one, other, ready):
    generator = AddressGenerator(depth=300, loops=5, count_bits=3, coordinate_bits=7)
    for (steps, _, fault), nest in zip(
        walk(generator, [generator.program(one), generator.program(other)], ready), (one, other), strict=True
    ):
        check(steps, nest)
        assert not fault


@given(convolutions())
@settings(max_examples=15, deadline=None)
def test_convolutions_are_walked_in_one_cycle_per_element(convolution):
    generator = AddressGenerator(depth=4093, coordinate_bits=7, count_bits=4)
    nest = convolution.nest()
    ((steps, cycles, fault),) = walk(generator, [generator.program(nest)])
    check(steps, nest)
    assert cycles == generator.cycles(nest)
    assert not fault


def test_an_address_beyond_the_bank_is_padding_and_a_fault():
    generator = AddressGenerator(depth=100, loops=1, coordinates=0)
    program = generator.program(Nest(counts=(100,), strides=(1,)))
    program["address"] = 3
    ((steps, _, fault),) = walk(generator, [program])
    assert fault
    assert steps[:, 1].tolist() == [1] * 97 + [0] * 3
    assert [fault for *_, fault in walk(generator, [program, generator.program(Nest(counts=(5,), strides=(1,)))])] == [
        1,
        0,
    ]


@pytest.mark.parametrize(
    ("nest", "message"),
    [
        (Nest(counts=(2, 2, 2), strides=(0, 0, 0)), "counts: must be at most 2, not 3"),
        (Nest(counts=(17,), strides=(0,)), "counts: must be at most 16, not 17"),
        (Nest(counts=(11,), strides=(1,)), "strides: addresses must be within the bank's 0 and 9, not (0, 10)"),
        (
            Nest(counts=(3,), strides=(-1,), start=1),
            "strides: addresses must be within the bank's 0 and 9, not (-1, 1)",
        ),
        (
            Nest(counts=(2,), strides=(0,), coordinates=(Coordinate(start=0, strides=(-9,), size=3),)),
            "coordinates: must stay within -8 and 7, not (-9, 3)",
        ),
        (
            Nest(counts=(2,), strides=(0,), coordinates=(Coordinate(start=0, strides=(0,), size=8),)),
            "coordinates: must stay within -8 and 7, not (0, 8)",
        ),
    ],
)
def test_a_nest_that_does_not_fit_is_named(nest, message):
    generator = AddressGenerator(depth=10, loops=2, coordinates=1, count_bits=4, coordinate_bits=4)
    with pytest.raises(InputError) as error:
        generator.program(nest)
    assert str(error.value) == message


def test_an_input_larger_than_the_bank_is_an_error():
    convolution = Im2col(channels=3, height=8, width=8, kernel=(3, 3), padding=(1, 1))
    AddressGenerator(depth=192).program(convolution.nest())
    with pytest.raises(InputError, match=r"within the bank's 0 and 190, not \(0, 191\)"):
        AddressGenerator(depth=191).program(convolution.nest())
