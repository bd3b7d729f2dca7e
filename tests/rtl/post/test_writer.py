"""The writer between sources that pause and memories, against one loop over the rows with fractions."""

from fractions import Fraction

import numpy as np
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from rtl.accelerator import Accelerator
from rtl.control import Post
from rtl.control.tiling import Tensor, Window
from rtl.pe.adder import AdderPE

SUM_BITS = 14


@st.composite
def cases(draw):
    """An accelerator, a write nest and what becomes of its rows."""
    columns, slices, tiles = draw(st.integers(1, 3)), draw(st.sampled_from([1, 2])), draw(st.integers(1, 2))
    chip = Accelerator(
        rows=1, columns=columns, pe=AdderPE(accumulator=SUM_BITS), word_lanes=columns * slices,
        activation_words=64, parameter_words=8, sum_words=64,
    )  # fmt: skip
    height, width, block = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.sampled_from([(1, 1), (2, 1), (1, 2)]))
    target = Tensor(base=0, height=height, width=width, words=-(-tiles // slices))
    nest = Window(source=target, target=target, kernel=(1, 1)).write(tiles, slices, block)
    kept = draw(st.booleans())
    post = Post(
        parameters=draw(st.integers(0, 3)), shift=draw(st.integers(0, 9)), low=draw(st.integers(-128, 0)), high=100,
        sums_write=kept, sums_read=draw(st.booleans()), residual=None if kept or draw(st.booleans()) else 32 * slices,
        residual_multiplier=draw(st.integers(-99, 99)), column_first=draw(st.integers(0, columns - 1)),
        column_last=draw(st.integers(0, columns - 1)),
    )  # fmt: skip
    return chip, nest, post, np.random.default_rng(draw(st.integers(0, 999)))


class Bench:
    """A writer among memories of random contents."""

    def __init__(self, chip, nest, post, draw):
        self.chip, self.nest, self.post, self.draw, self.hardware = chip, nest, post, draw, chip.writer.create()
        self.steps = [{name: column[step] for name, column in nest.compute().items()} for step in range(nest.steps)]
        half = 1 << SUM_BITS - 1
        self.rows, self.sums = (draw.integers(-half, half, (size, chip.columns)) for size in (nest.steps, 64))
        self.activations = draw.integers(-128, 128, (64 * chip.slices, chip.columns))
        self.biases = draw.integers(-half, half, (8, chip.columns))
        self.multipliers = draw.integers(-(1 << 15), 1 << 15, (8, chip.columns))

    def expected(self):
        """Activations by slice, and partial sums, afterwards."""
        after, sums, post, tile = self.activations.copy(), self.sums.copy(), self.post, 0
        tiles, columns, half = self.nest.counts[0], self.chip.columns, 1 << SUM_BITS - 1
        for index, (step, row) in enumerate(zip(self.steps, self.rows, strict=True)):
            for column in range(columns):
                total = int(row[column]) + int(sums[index, column]) * post.sums_read
                total = (total + half) % (2 * half) - half
                if post.sums_write:
                    sums[index, column] = total
                    continue
                word = post.parameters + tile
                scaled = (total + int(self.biases[word, column])) * int(self.multipliers[word, column])
                if post.residual is not None and step["inside"]:
                    source = int(self.activations[step["address"] + post.residual, column])
                    scaled += source * post.residual_multiplier
                first, last = post.column_first * (tile == 0), post.column_last if tile == tiles - 1 else columns
                if step["inside"] and first <= column <= last:
                    after[step["address"], column] = np.clip(round(Fraction(scaled, 1 << post.shift)), post.low, post.high)
            tile += bool(step["last"])
        return after, sums

    def words(self):
        """Activations by word; shares memory."""
        return self.activations.reshape(64, -1)

    async def memories(self, context):
        """Answer reads with what was there before the writes of the same cycle; the activations a cycle later."""
        late = (0, 0, 0, 0)  # address, enable, lanes and data of the activations
        own, names = self.hardware, ("parameters_address", "sums_address", "address", "enable", "write", "sums_write")
        while True:
            parameter, row, address, enable, write, keeps = (context.get(getattr(own, name)) for name in names)
            data, place = context.get(own.write_data), context.get(own.sums_write_address)
            kept = [context.get(own.sums_write_data[column]) for column in range(self.chip.columns)]
            await context.tick()
            (address, enable, write, data), late = late, (address, enable, write, data)
            for column in range(self.chip.columns):
                context.set(own.sums_data[column], int(self.sums[row % 64, column]))
            fields = [*(int(b) % (1 << SUM_BITS) for b in self.biases[parameter]), *map(int, self.multipliers[parameter])]
            places = [index * SUM_BITS for index in range(self.chip.columns)]
            places += [self.chip.columns * SUM_BITS + index * 16 for index in range(self.chip.columns)]
            word = sum((value % (1 << 16)) << at for value, at in zip(fields, places, strict=True))
            context.set(own.parameters_data, word)
            context.set(own.data, sum(int(lane) % 256 << 8 * at for at, lane in enumerate(self.words()[address])))
            for lane in range(self.chip.lanes):
                if enable and write >> lane & 1:
                    self.words()[address, lane] = (data >> 8 * lane & 255 ^ 128) - 128
            if keeps:
                self.sums[place] = kept

    async def offer(self, context, stream, give):
        """Offer one thing after the other, with pauses."""
        for index in range(self.nest.steps):
            await context.tick().repeat(int(self.draw.integers(0, 3)) or 1)
            give(index)
            context.set(stream.valid, 1)
            await context.tick().until(stream.ready)
            context.set(stream.valid, 0)

    def run(self):
        own = self.hardware

        async def rows(context):
            context.set(own.post, settings_of(self.post))
            context.set(own.last_tile, self.nest.counts[0] - 1)
            context.set(own.start, 1)
            await context.tick()
            context.set(own.start, 0)
            await self.offer(context, own.rows, lambda index: context.set(own.rows.payload, self.rows[index].tolist()))
            while context.get(own.busy):
                await context.tick()
            await context.tick().repeat(2)  # the memory is a cycle behind

        async def steps(context):
            await context.tick().repeat(2)
            await self.offer(context, own.steps, lambda index: context.set(own.steps.payload, step(self.steps[index])))

        simulator = Simulator(own)
        simulator.add_clock(1e-6)
        simulator.add_testbench(rows)
        simulator.add_testbench(steps)
        simulator.add_testbench(self.memories, background=True)
        simulator.run_until(2e-3)


def settings_of(post):
    own = post.model_dump()
    return own | {"with_residual": own["residual"] is not None, "residual": own["residual"] or 0}


def step(own):
    return {name: int(value) if own["inside"] or name != "address" else 0 for name, value in own.items()}


@given(cases())
@settings(max_examples=12, deadline=None)
def test_rows_are_written_where_and_as_they_should(case):
    bench = Bench(*case)
    activations, sums = bench.expected()
    bench.run()
    np.testing.assert_array_equal(bench.sums, sums)
    np.testing.assert_array_equal(bench.activations, activations)
