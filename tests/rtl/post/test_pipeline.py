"""The post-processor's hardware against its twin, and the twin against fractions."""

from fractions import Fraction

import numpy as np
from amaranth.hdl import Value
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from rtl.control import Post
from rtl.control.command import POST_LAYOUT
from rtl.post import PostProcessor
from rtl.post.processor import round_half_even


@given(st.integers(-(1 << 60), 1 << 60), st.integers(0, 47))
def test_rounding_is_that_of_fractions(value, shift):
    assert round_half_even(np.array([value]), shift)[0] == round(Fraction(value, 1 << shift))


@st.composite
def rows(draw):
    processor = PostProcessor(
        columns=draw(st.integers(1, 3)), sum_bits=draw(st.integers(4, 40)), activations=draw(st.sampled_from(FORMATS))
    )
    signed = processor.activation_shape.signed
    width = processor.activation_shape.width
    floor, ceiling = (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)
    low, high = sorted((draw(st.integers(floor, min(ceiling, 32767))), draw(st.integers(floor, min(ceiling, 32767)))))
    post = Post(
        shift=draw(st.integers(0, 47)), low=low, high=high, residual=0,
        residual_multiplier=draw(st.integers(-(1 << 15), (1 << 15) - 1)),
    )  # fmt: skip
    generator = np.random.default_rng(draw(st.integers(0, 999)))

    def numbers(bits, signed=True):
        low = -(1 << bits - 1) if signed else 0
        extremes = generator.integers(0, 3, (6, processor.columns))
        inner = generator.integers(low, low + (1 << bits), (6, processor.columns))
        return np.choose(extremes, [inner, np.full_like(inner, low), np.full_like(inner, low + (1 << bits) - 1)])

    bits = processor.sum_bits
    return processor, post, numbers(bits), numbers(bits), numbers(16), numbers(width, signed)


FORMATS = ("int8", "uint8", "int4", "int16")


@given(rows())
@settings(max_examples=15, deadline=None)
def test_hardware_computes_the_twin(case):
    processor, post, sums, biases, multipliers, residual = case
    hardware, found = processor.create(), []

    async def drive(context):
        context.set(hardware.post, fields(post))
        late = [0] * processor.columns  # residuals come a cycle after their sums
        for row in [*range(len(sums)), *[0] * processor.latency]:
            for column in range(processor.columns):
                context.set(hardware.sums[column], int(sums[row, column]))
                context.set(hardware.parameters_word.biases[column], int(biases[row, column]))
                context.set(hardware.parameters_word.multipliers[column], int(multipliers[row, column]))
                context.set(hardware.residual[column], late[column])
            late = [int(value) for value in residual[row]]
            found.append([context.get(hardware.values[column]) for column in range(processor.columns)])
            await context.tick()

    simulator = Simulator(hardware)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    expected = processor.compute(sums, biases, multipliers, residual, post)
    assert found[processor.latency :] == expected.tolist()


def fields(post):
    own = post.model_dump() | {"with_residual": 1, "residual": 0}
    assert set(own) == set(dict(POST_LAYOUT))
    assert Value.cast(POST_LAYOUT.const(own)) is not None
    return POST_LAYOUT.const(own)
