"""Generator, reader and scratchpad together, up to a convolution that the array computes from its memories."""

import numpy as np
import pytest
from amaranth.hdl import Cat, Elaboratable, Module, Signal, Value
from amaranth.lib import data, stream
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.cost.accelerator import ArrayTiming, Tile
from rtl.array import SystolicArray
from rtl.memory import AddressGenerator, BankReader, Im2col, Nest, Scratchpad
from rtl.pe import find
from tests.rtl.memory.test_im2col import convolutions


class Fetcher(Elaboratable):
    """A program per bank of a scratchpad, and a stream of one word of each."""

    def __init__(self, pad, nests, start):
        self.pad, self.memory, self.start = pad, pad.create(), start
        self.generator = AddressGenerator(depth=pad.depth, coordinate_bits=7, count_bits=9)
        self.reader = BankReader(generator=self.generator, pad=pad)
        self.programs = [self.generator.program(nest) for nest in nests]
        word = data.ArrayLayout(self.reader.word_layout, pad.banks)
        self.words = stream.Signature(word).create()

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory, readers = self.memory, []
        for bank, program in enumerate(self.programs):
            m.submodules[f"generator_{bank}"] = generator = self.generator.create()
            m.submodules[f"reader_{bank}"] = reader = self.reader.create()
            m.d.comb += [
                generator.start.eq(self.start),
                Value.cast(generator.program).eq(self.generator.program_layout.const(program)),
                Value.cast(reader.steps.payload).eq(Value.cast(generator.steps.payload)),
                reader.steps.valid.eq(generator.steps.valid),
                generator.steps.ready.eq(reader.steps.ready),
                self.memory.read_enable[bank].eq(reader.read_enable),
                self.memory.read_address[bank].eq(reader.read_address),
                reader.read_data.eq(self.memory.read_data[bank]),
                Value.cast(self.words.payload[bank]).eq(Value.cast(reader.words.payload)),
                reader.words.ready.eq(self.words.valid & self.words.ready),
            ]
            readers.append(reader)
        m.d.comb += self.words.valid.eq(Cat(reader.words.valid for reader in readers).all())
        return m


async def fill(context, memory, banks):
    """Write the contents, shape ``(banks, words)``, a word of every bank per cycle."""
    for address in range(banks.shape[1]):
        for bank, value in enumerate(banks[:, address]):
            context.set(memory.write_enable[bank], 1)
            context.set(memory.write_address[bank], address)
            context.set(memory.write_data[bank], int(value) & 0xFF)
        await context.tick()
    for bank in range(len(banks)):
        context.set(memory.write_enable[bank], 0)


def run(design, drive):
    simulator = Simulator(design)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()


@given(convolutions(), st.integers(1, 4), st.lists(st.booleans(), max_size=80))
@settings(max_examples=6, deadline=None)
def test_words_are_those_of_the_nest_under_backpressure(convolution, latency, ready):
    pad = Scratchpad(banks=1, depth=convolution.base + convolution.words, read_latency=latency)
    start, nest, found = Signal(), convolution.nest(), []
    fetcher = Fetcher(pad, [nest], start)
    contents = np.arange(1, pad.depth + 1)[None] % 256
    pattern = iter(ready)

    async def drive(context):
        await fill(context, fetcher.memory, contents)
        context.set(start, 1)
        await context.tick()
        context.set(start, 0)
        for _ in range(2 * len(ready) + nest.steps + fetcher.reader.latency + 1):
            context.set(fetcher.words.ready, next(pattern, 1))
            if context.get(fetcher.words.valid) and context.get(fetcher.words.ready):
                found.append(context.get(fetcher.words.payload[0].data))
            await context.tick()

    run(fetcher, drive)
    np.testing.assert_array_equal(found, fetcher.reader.compute(nest, contents[0]))


class Convolver(Elaboratable):
    """Activations and weights in scratchpads, an array between them: one program, one start."""

    def __init__(self, array, images, weights):
        self.array, self.hardware, self.start = array, array.create(), Signal()
        self.images, self.weights = Fetcher(*images, self.start), Fetcher(*weights, self.start)

    def elaborate(self, platform):
        m = Module()
        m.submodules.images, m.submodules.weights, m.submodules.array = self.images, self.weights, self.hardware
        beats, images, weights = self.hardware.beats, self.images.words, self.weights.words
        m.d.comb += [
            beats.valid.eq(images.valid & weights.valid),
            images.ready.eq(beats.valid & beats.ready),
            weights.ready.eq(beats.valid & beats.ready),
            beats.payload.first.eq(images.payload[0].first),
            beats.payload.last.eq(images.payload[0].last),
            *(beats.payload.rows[row].x.eq(images.payload[row].data) for row in range(self.array.rows)),
            *(beats.payload.columns[c].w.eq(weights.payload[c].data) for c in range(self.array.columns)),
        ]
        return m


@pytest.mark.parametrize("name", ["int8_mac", "shift8_piped"])
def test_hardware_convolves_from_its_memories_in_the_cycles_of_the_model(name):
    """A strided, padded, dilated convolution of two groups; a filter per column, output columns over the rows."""
    array = SystolicArray(rows=2, columns=3, pe=find(name))
    geometry = {
        "channels": 4, "height": 5, "width": 6, "kernel": (3, 2), "stride": (2, 1), "padding": (1, 1),
        "dilation": (1, 2), "groups": 2, "lanes": array.rows,
    }  # fmt: skip
    nests = [Im2col(**geometry, lane=lane).nest() for lane in range(array.rows)]
    patch, tiles = 2 * 3 * 2, nests[0].steps // (2 * 2 * 3 * 2)  # elements of a sum; sums of a group
    filters = Nest(counts=(2, tiles, patch), strides=(patch, 0, 1), inner=1)
    generator = np.random.default_rng(3)
    image = generator.integers(-128, 128, 4 * 5 * 6)
    weights = generator.integers(0, 16, (array.columns, 2 * patch))  # a filter's two groups after one another
    copies = np.tile(image, (array.rows, 1))
    design = Convolver(
        array,
        (Scratchpad(banks=array.rows, depth=image.size, read_latency=2), nests),
        (Scratchpad(banks=array.columns, depth=2 * patch, read_latency=2), [filters] * array.columns),
    )
    rows, cycles = [], []

    async def drive(context):
        await fill(context, design.images.memory, copies)
        await fill(context, design.weights.memory, weights)
        context.set(design.start, 1)
        context.set(design.hardware.results.ready, 1)
        await context.tick()
        context.set(design.start, 0)
        for cycle in range(1, 500):
            if context.get(design.hardware.results.valid):
                rows.append([context.get(design.hardware.results.payload[c]) for c in range(array.columns)])
                cycles.append(cycle)
            await context.tick()

    run(design, drive)
    marks = nests[0].compute()
    expected = array.compute(
        marks["first"], marks["last"],
        x=np.stack([design.images.reader.compute(nest, image) for nest in nests], axis=1),
        w=np.stack([design.weights.reader.compute(filters, column) for column in weights], axis=1),
    )  # fmt: skip
    np.testing.assert_array_equal(np.array(rows).reshape(expected.shape), expected)
    timing = ArrayTiming(array.rows, array.columns, array.pe.latency)
    first_beat = 2 + design.images.reader.latency
    assert cycles[-1] + 1 == first_beat + timing.cycles([Tile(patch)] * (2 * tiles))
