"""Driving a systolic array in Amaranth's simulator: a source that idles, a sink that waits."""

from dataclasses import dataclass, field

import numpy as np
from amaranth.hdl import ResetInserter, Shape, Signal, Value
from amaranth.sim import Simulator

from rtl import shapes
from rtl.array import sides

PATIENCE = 1000
"""Cycles without results after which the array counts as hung."""


@dataclass
class Outcome:
    """What came out, and when."""

    rows: list = field(default_factory=list)
    row_cycles: list = field(default_factory=list)
    last_cycles: list = field(default_factory=list)
    waits_for_drain: int = 0
    waits_for_results: int = 0

    @property
    def cycles(self):
        return self.row_cycles[-1] + 1

    def tiles(self, array):
        return np.asarray(self.rows, np.int64).reshape(-1, array.rows, array.columns)


def random_beats(array, last, seed):
    """Random operands for beats with these ends of tiles; what must not change within a sum does not change."""
    generator = np.random.default_rng(seed)
    shape = {"rows": (len(last), array.rows), "columns": (len(last), array.columns), "common": (len(last),)}
    operands = {}
    for side, size in shape.items():
        for name in sides.operands(array.pe, side):
            port = array.pe.operand_shape(name)
            low = -(1 << (port.width - 1)) if port.signed else 0
            operands[name] = generator.integers(low, low + (1 << port.width), size)
    if "threshold" in operands:
        operands["threshold"][:] = 3
    if "reseed" in operands:
        operands["reseed"] = np.roll(last, 1).astype(int)
    return operands


def simulate(array, last, operands, idle=None, waits=None, first=None, reset_after=0):
    """Send the beats, each after ``idle`` cycles, and take each row ``waits`` cycles after it could be taken.

    With ``reset_after``, so many cycles of one-beat tiles and a reset go before; cycle 0 is then the first after it.
    """
    first = np.roll(last, 1) if first is None else first
    idle = np.zeros(len(last), int) if idle is None else idle
    rows = int(last.sum()) * array.rows
    waits = np.zeros(rows, int) if waits is None else waits
    hardware, outcome, reset = array.create(), Outcome(), Signal()
    words = encode(array, first, last, operands)

    async def source(context):
        if reset_after:
            context.set(hardware.beats.payload.last, 1)
            context.set(hardware.beats.valid, 1)
            await context.tick().repeat(reset_after)
            context.set(hardware.beats.valid, 0)
            context.set(reset, 1)
            await context.tick()
            context.set(reset, 0)
        for word, pause in zip(words, idle, strict=True):
            await context.tick().repeat(int(pause)) if pause else None
            context.set(Value.cast(hardware.beats.payload), word)
            context.set(hardware.beats.valid, 1)
            await context.tick().until(hardware.beats.ready)
            context.set(hardware.beats.valid, 0)

    async def sink(context):
        await context.tick().repeat(reset_after + 1) if reset_after else None
        for pause in waits:
            await until_valid(context)
            await context.tick().repeat(int(pause)) if pause else None
            context.set(hardware.results.ready, 1)
            await context.tick()
            context.set(hardware.results.ready, 0)

    async def until_valid(context):
        for _ in range(PATIENCE):
            if context.get(hardware.results.valid):
                return
            await context.tick()
        raise AssertionError(f"no results for {PATIENCE} cycles")

    async def watch(context):
        beats, results = hardware.beats, hardware.results
        probes = [
            beats.valid & beats.ready & beats.payload.last, results.valid & results.ready,
            hardware.waits_for_drain, hardware.waits_for_results, *(results.payload[c] for c in range(array.columns)),
        ]  # fmt: skip
        cycle = -(reset_after + 1) if reset_after else 0
        async for _, _, ended, row, drain, room, *values in context.tick().sample(*probes):
            if cycle < 0:
                cycle += 1
                continue
            outcome.last_cycles += [cycle] if ended else []
            outcome.waits_for_drain += drain
            outcome.waits_for_results += room
            if row:
                outcome.rows.append(values)
                outcome.row_cycles.append(cycle)
            cycle += 1

    simulator = Simulator(ResetInserter(reset)(hardware))
    simulator.add_clock(1e-6)
    simulator.add_testbench(source)
    simulator.add_testbench(sink)
    simulator.add_process(watch)
    simulator.run()
    return outcome


def encode(array, first, last, operands):
    """The beats as integers in the array's layout."""
    layout, words = array.beat_layout, []
    for beat in range(len(last)):
        word = int(first[beat]) << layout["first"].offset | int(last[beat]) << layout["last"].offset
        for side in ("rows", "columns", "common"):
            for name in sides.operands(array.pe, side):
                for index, value in enumerate(np.atleast_1d(operands[name][beat])):
                    word |= field_bits(array, layout[side], side, name, index, int(value))
        words.append(word)
    return words


def field_bits(array, place, side, name, index, value):
    outer, offset = place.shape, place.offset
    if side != "common":
        offset, outer = offset + outer[index].offset, outer[index].shape
    width = Shape.cast(shapes.shape(array.pe.operands[name])).width
    return (value & ((1 << width) - 1)) << (offset + outer[name].offset)
