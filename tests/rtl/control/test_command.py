"""Commands and their code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hwsim.errors import InputError
from rtl.control import COMMAND_BITS, Convolution, Halt, Load, Pooling, Post, Store, decode, encode
from rtl.control.command import LAYOUT, TARGETS
from rtl.memory import Coordinate, Nest

INT16 = st.integers(-(1 << 15), (1 << 15) - 1)


@st.composite
def nests(draw, loops, axes, inner):
    counts = tuple(draw(st.integers(1, 5)) for _ in range(loops))

    def strides(limit):
        return tuple(draw(st.integers(-limit, limit)) if count > 1 else 0 for count in counts)

    coordinates = tuple(
        Coordinate(start=draw(st.integers(-20, 20)), strides=strides(4), size=draw(st.integers(1, 60)))
        for _ in range(axes)
    )
    return Nest(counts=counts, strides=strides(7), start=1000, coordinates=coordinates, inner=inner)


@st.composite
def posts(draw):
    low, high = sorted((draw(INT16), draw(INT16)))
    writes = draw(st.booleans())
    return Post(
        parameters=draw(st.integers(0, 1000)), shift=draw(st.integers(0, 47)), low=low, high=high,
        sums_read=draw(st.booleans()), sums_write=writes,
        residual=None if writes else draw(st.none() | st.integers(-9999, 9999)),
        residual_multiplier=draw(INT16), column_first=draw(st.integers(0, 63)), column_last=draw(st.integers(0, 63)),
    )  # fmt: skip


WAIT = st.booleans()
COMMANDS = st.one_of(
    st.builds(
        Convolution, read=nests(8, 2, 5), write=nests(5, 2, 4), post=posts(), weights=nests(3, 0, 0),
        lane_first=st.integers(0, 255), lane_last=st.integers(0, 255), elements=st.sampled_from([1, 2, 4, 8]),
        common=st.integers(0, 65535), wait_for_loads=WAIT,
    ),
    st.builds(
        Pooling, read=nests(8, 2, 5), write=nests(5, 2, 5), post=posts(), maximum=st.booleans(), wait_for_loads=WAIT
    ),
    st.builds(
        Load, target=st.sampled_from(TARGETS[1:]), address=st.integers(0, 999), count=st.integers(1, 999),
        external=st.integers(0, (1 << 32) - 1), background=st.booleans(), wait_for_loads=WAIT,
    ),
    st.builds(Store, read=nests(8, 2, 0), external=st.integers(0, (1 << 32) - 1), wait_for_loads=WAIT),
    st.builds(Halt, wait_for_loads=WAIT),
)  # fmt: skip


@given(COMMANDS)
def test_a_code_names_one_command(command):
    code = encode(command)
    assert 0 <= code < 1 << COMMAND_BITS
    assert decode(code) == command


def test_the_code_fits():
    assert LAYOUT.size <= COMMAND_BITS


def test_other_codes_are_no_commands():
    with pytest.raises(InputError, match="opcode: opcode must be one of 1, 2, 3, 4, 5, not 0"):
        decode(0)


@given(st.integers(1, 4096), st.integers(1, 64))
def test_stored_words_are_those_asked_for(inner, outer):
    command = Store.words(7, inner * outer, 99)
    steps = command.read.compute()
    assert steps["address"].tolist() == list(range(7, 7 + inner * outer))
    assert steps["inside"].all()


def test_broken_rules_are_named():
    with pytest.raises(ValidationError, match="low must be at most the high of 3"):
        Post(low=4, high=3)
    with pytest.raises(ValidationError, match="residual must be absent"):
        Post(low=0, high=3, sums_write=True, residual=0)
    with pytest.raises(ValidationError, match="background must be false for activations"):
        Load(target="activations", address=0, count=1, external=0, background=True)
    with pytest.raises(InputError, match="count: must be a product of two numbers up to 4096, not 1000003"):
        Store.words(0, 1_000_003, 0)
