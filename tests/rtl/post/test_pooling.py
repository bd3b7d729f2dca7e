"""The pooling unit's hardware against its twin, whatever the pace of source and sink."""

import numpy as np
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from rtl.post import Pool


@given(
    st.builds(Pool, slices=st.sampled_from([1, 2, 4]), columns=st.integers(1, 3), sum_bits=st.integers(9, 24),
              activations=st.sampled_from(["int8", "uint8"])),
    st.booleans(), st.integers(1, 5), st.integers(0, 999),
)  # fmt: skip
@settings(max_examples=15, deadline=None)
def test_hardware_computes_the_twin(pool, maximum, size, seed):
    draw = np.random.default_rng(seed)
    low = -128 if pool.activations == "int8" else 0
    words, inside = draw.integers(low, low + 256, (7, size, pool.lanes)), draw.integers(0, 2, (7, size), bool)
    inside[:, 0] |= not maximum
    hardware, found, expected = pool.create(), [], pool.compute(words, inside, maximum).tolist()

    async def source(context):
        context.set(hardware.maximum, maximum)
        for window, word in np.ndindex(inside.shape):
            code = sum((int(value) & 255) << 8 * lane for lane, value in enumerate(words[window, word]))
            marks = {"first": word == 0, "last": word == size - 1, "inside": bool(inside[window, word])}
            context.set(hardware.words.payload, {"data": code, **marks})
            await context.tick().repeat(int(draw.integers(1, 3)))
            context.set(hardware.words.valid, 1)
            await context.tick().until(hardware.words.ready)
            context.set(hardware.words.valid, 0)

    async def sink(context):
        while len(found) < len(expected):
            context.set(hardware.rows.ready, int(draw.integers(0, 2)))
            if context.get(hardware.rows.valid & hardware.rows.ready):
                found.append([context.get(hardware.rows.payload[column]) for column in range(pool.columns)])
            await context.tick()

    simulator = Simulator(hardware)
    simulator.add_clock(1e-6)
    simulator.add_testbench(source)
    simulator.add_testbench(sink)
    simulator.run_until(1e-3)
    assert found == expected
