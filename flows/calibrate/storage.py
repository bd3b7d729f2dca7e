"""What a bit costs in the storage of `rtl.array`: in lines of registers that operands take, and in the result buffer.

An operation is a cycle. Rates, in bits per cycle, of both: bits that are clocked; that change in registers. Of a line:
bits that change in front of a register, taken or not; of registers whose enable changes. Of a queue: bits written,
times the words of the queue, since each moves the whole multiplexer that reads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import fifo, wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from flows.calibrate.library import Library
from flows.calibrate.model import Sample
from flows.calibrate.netlist import Netlist
from flows.calibrate.power import Prices
from flows.calibrate.simulation import LANES, Ports, simulate
from flows.calibrate.timing import analyse
from hwsim.technology.storage import CLOCKED, ENABLED, OFFERED, STORED, WRITTEN

BITS, STAGES, CYCLES = 16, 4, 400
Array = NDArray[Any]


class Line(wiring.Component):
    """`STAGES` registers in a row; stage ``i`` takes what is in front of it where ``enable[i]`` is."""

    def __init__(self) -> None:
        super().__init__({"x": In(BITS), "enable": In(STAGES), "y": Out(BITS)})

    def elaborate(self, platform: object) -> Module:
        """Return the hardware."""
        m = Module()
        word = self.x
        for stage in range(STAGES):
            held = Signal(BITS, name=f"stage_{stage}", reset_less=True)
            with m.If(self.enable[stage]):
                m.d.sync += held.eq(word)
            word = held
        m.d.comb += self.y.eq(word)
        return m

    @staticmethod
    def sample(netlist: Netlist, library: Library, seed: int) -> Sample:
        """Return streams of words and enables that change at many rates."""
        generator = np.random.default_rng(seed)
        words = _words(generator, BITS)
        enables = generator.random((LANES, CYCLES, STAGES)) < _often(generator)
        stored, offered = np.zeros(LANES), np.zeros(LANES)
        front = words
        for stage in range(STAGES):
            held = _registers(front, enables[:, :, stage])
            offered, stored, front = offered + _changes(front), stored + _changes(held), held
        renewed = BITS * (enables[:, 1:] != enables[:, :-1]).sum(axis=(1, 2))
        ports = {"x": words, "enable": (enables << np.arange(STAGES)).sum(axis=2), "rst": np.zeros_like(words)}
        rates = {CLOCKED: BITS * STAGES * (CYCLES - 1), STORED: stored, OFFERED: offered, ENABLED: renewed}
        return _sample(netlist, library, ports, rates)


class Queue(wiring.Component):
    """The first-in first-out buffer of `rtl.array`, read as soon as there is something.

    It is measured at its own size: what selects a word to read drives every bit of every word.

    Parameters
    ----------
    words
        Its depth.
    columns, bits
        Results in a word, and bits of each.
    """

    def __init__(self, words: int, columns: int, bits: int) -> None:
        self.words, self.columns, self.bits = words, columns, bits
        inputs = {f"w_{column}": In(bits) for column in range(columns)}
        super().__init__({**inputs, "w_en": In(1), "r_data": Out(columns * bits), "r_rdy": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Return the hardware."""
        m = Module()
        m.submodules.queue = queue = fifo.SyncFIFO(width=self.columns * self.bits, depth=self.words)
        m.d.comb += [
            queue.w_data.eq(Cat(getattr(self, f"w_{column}") for column in range(self.columns))),
            queue.w_en.eq(self.w_en), queue.r_en.eq(1), self.r_data.eq(queue.r_data), self.r_rdy.eq(queue.r_rdy),
        ]  # fmt: skip
        return m

    def sample(self, netlist: Netlist, library: Library, seed: int) -> Sample:
        """Return streams of words that are written now and then."""
        generator = np.random.default_rng(seed)
        words = [_words(generator, self.bits) for _ in range(self.columns)]
        enable = (generator.random((LANES, CYCLES, 1)) < _often(generator))[:, :, 0]
        enable[:, 0] = False  # the reset
        written = enable[:, :-1].sum(axis=1)
        stored = [sum(_stored(word[lane], enable[lane], self.words) for word in words) for lane in range(LANES)]
        reset = np.broadcast_to(np.arange(CYCLES) == 0, enable.shape).astype(np.int64)
        ports = {f"w_{column}": word for column, word in enumerate(words)}
        ports |= {"w_en": enable.astype(np.int64), "rst": reset}
        size = self.words * self.columns * self.bits
        rates = {CLOCKED: size * (CYCLES - 1), STORED: np.array(stored), WRITTEN: size * written}
        return _sample(netlist, library, ports, rates)


def _sample(netlist: Netlist, library: Library, ports: Ports, counted: dict[str, Any]) -> Sample:
    power = Prices(netlist, analyse(netlist), library.voltage_v).evaluate(simulate(netlist, ports))
    cycles = CYCLES - 1
    rates = {name: np.broadcast_to(count, LANES) / cycles for name, count in counted.items()}
    return Sample(("random",) * LANES, rates, power.total_pj / cycles)


def _words(generator: np.random.Generator, bits: int) -> Array:
    """Return words of shape ``(lanes, cycles)`` whose bits change at a rate of their lane's own."""
    changes = generator.random((LANES, CYCLES, bits)) < generator.random((LANES, 1, 1)) / 2
    words: Array = ((np.cumsum(changes, axis=1) & 1) << np.arange(bits)).sum(axis=2)
    return words


def _often(generator: np.random.Generator) -> Array:
    return generator.choice((0.0, 0.1, 0.5, 0.9, 1.0), (LANES, 1, 1))


def _registers(front: Array, enable: Array) -> Array:
    """Return what registers hold that take ``front`` at the end of the cycles where ``enable`` is; zero at first."""
    taken = np.maximum.accumulate(np.where(enable, np.arange(1, CYCLES + 1), 0), axis=1)[:, :-1]
    held: Array = np.where(taken > 0, np.take_along_axis(front, np.maximum(taken - 1, 0), axis=1), 0)
    return np.concatenate([np.zeros_like(front[:, :1]), held], axis=1)


def _stored(words: Array, enable: Array, depth: int) -> int:
    """Return how many bits change in a queue: each word is followed in its place by the one ``depth`` later."""
    written = words[:-1][enable[:-1]]
    before = np.concatenate([np.zeros(depth, np.int64), written])[: len(written)]
    return int(np.bitwise_count(written ^ before).sum())


def _changes(words: Array) -> Array:
    changes: Array = np.bitwise_count(words[:, 1:] ^ words[:, :-1]).sum(axis=1, dtype=np.int64)
    return changes
