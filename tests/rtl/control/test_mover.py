"""The mover between a memory that answers when it likes and scratchpads, against plain slices of lists."""

import numpy as np
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from rtl.control.mover import Mover

WORDS = 64


@st.composite
def moves(draw):
    mover = Mover(
        memory_bits=draw(st.sampled_from([8, 16, 32])), burst=draw(st.integers(1, 7)),
        widths=tuple(draw(st.lists(st.integers(1, 50), min_size=3, max_size=3))),
    )  # fmt: skip
    target = draw(st.integers(0, 2))
    most = WORDS // mover.parts(target)
    count = draw(st.integers(1, min(most, 9)))
    external = draw(st.integers(0, WORDS - count * mover.parts(target)))
    return mover, target, count, external, draw(st.integers(0, 1 << 20))


class Bench:
    """A mover beside a memory of random words and patience."""

    def __init__(self, mover, seed):
        self.mover, self.hardware, self.draw = mover, mover.create(), np.random.default_rng(seed)
        self.memory = [int(word) for word in self.draw.integers(0, 1 << mover.memory_bits, WORDS)]
        self.bursts, self.writes = [], []

    async def pause(self, context):
        await context.tick().repeat(int(self.draw.integers(0, 3)) or 1)

    async def answer(self, context):
        """The memory."""
        port = self.hardware.memory
        while True:
            asked = await self.take(context, port.request)
            address, count, write = (int(asked[name]) for name in ("address", "count", "write"))
            self.bursts.append((address, count))
            for place in range(address, address + count):
                if write:
                    self.memory[place] = await self.take(context, port.write)
                else:
                    await self.give(context, port.read, port.read.payload, self.memory[place])
            if write:
                await self.pause(context)
                context.set(port.written, 1)
                await context.tick()
                context.set(port.written, 0)

    async def take(self, context, stream):
        await self.pause(context)
        context.set(stream.ready, 1)
        while not context.get(stream.valid):
            await context.tick()
        word = context.get(stream.payload)
        await context.tick()
        context.set(stream.ready, 0)
        return word

    async def give(self, context, stream, payload, word):
        await self.pause(context)
        context.set(payload, word)
        context.set(stream.valid, 1)
        while not context.get(stream.ready):
            await context.tick()
        await context.tick()
        context.set(stream.valid, 0)

    async def watch(self, context):
        """The scratchpads."""
        ports = (self.hardware.write, self.hardware.write_address, *self.hardware.write_data)
        async for _, _, write, address, *words in context.tick().sample(*ports):
            self.writes += [(pad, address, words[pad]) for pad in range(3) if write >> pad & 1]

    def run(self, words=(), **settings):
        async def command(context):
            for name, value in settings.items():
                context.set(getattr(self.hardware, name), value)
            context.set(self.hardware.start, 1)
            await context.tick()
            context.set(self.hardware.start, 0)
            while context.get(self.hardware.busy):
                await context.tick()
            await context.tick()

        async def give(context):
            for word in words:
                await self.give(context, self.hardware.words, self.hardware.words.payload.data, word)

        simulator = Simulator(self.hardware)
        simulator.add_clock(1e-6)
        simulator.add_testbench(command)
        simulator.add_testbench(self.answer, background=True)
        simulator.add_testbench(give, background=True)
        simulator.add_process(self.watch)
        simulator.run_until(5e-3)

    def check_bursts(self, external, count):
        """Whole bursts and a rest, one after the other."""
        whole, rest = divmod(count, self.mover.burst)
        sizes = [self.mover.burst] * whole + [rest] * (rest > 0)
        assert self.bursts == [(external + sum(sizes[:index]), size) for index, size in enumerate(sizes)]


@given(moves(), st.integers(0, 99))
@settings(max_examples=8, deadline=None)
def test_loads_are_slices_of_the_memory(move, address):
    mover, target, count, external, seed = move
    bench, parts, bits = Bench(mover, seed), mover.parts(target), mover.memory_bits
    bench.run(target=target, address=address, count=count, external=external, store=0)
    words = [bench.memory[external + place * parts :][:parts] for place in range(count)]
    values = [sum(part << bits * place for place, part in enumerate(word)) % (1 << mover.widths[target]) for word in words]
    assert bench.writes == [(target, address + place, value) for place, value in enumerate(values)]
    bench.check_bursts(external, count * parts)


@given(moves())
@settings(max_examples=8, deadline=None)
def test_stores_change_a_slice_of_the_memory(move):
    mover, _, count, external, seed = move
    bench, parts = Bench(mover, seed), mover.parts(0)
    count = min(count, WORDS // parts)
    external = min(external, WORDS - count * parts)
    words = [int(word) for word in bench.draw.integers(0, 1 << mover.widths[0], count)]
    expected = list(bench.memory)
    for place, word in enumerate(words):
        for part in range(parts):
            expected[external + place * parts + part] = word >> part * mover.memory_bits & ((1 << mover.memory_bits) - 1)
    bench.run(words, target=0, count=count, external=external, store=1)
    assert bench.memory == expected
    assert not bench.writes
    bench.check_bursts(external, count * parts)
