"""From addresses to words: reads a bank at the steps of an address generator, whatever the consumer's pace."""

from __future__ import annotations

from typing import Any

import numpy as np
from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import ArrayLike, NDArray

from hwsim.files import Frozen
from rtl.memory.generator import AddressGenerator
from rtl.memory.nest import Nest
from rtl.memory.queue import Queue
from rtl.memory.scratchpad import Scratchpad


class BankReader(Frozen):
    """Turns the steps of an `AddressGenerator` into a stream of words; padding is zero and reads nothing.

    Ports of the hardware, beside ``clk`` and ``rst``:

    =================================  ===  ==================================================================
    ``steps``                          in   stream of the generator's `AddressGenerator.step_layout`
    ``read_enable``, ``read_address``  out  to one bank of a `Scratchpad`
    ``read_data``                      in   from it
    ``words``                          out  stream with payload `word_layout`
    ``busy``                           out  words are under way or wait
    =================================  ===  ==================================================================

    Throughput: a word per cycle. Latency: ``latency``. Reads are begun only when their words have a place, so that
    nothing is lost while the consumer waits.

    Attributes
    ----------
    generator
        What the steps come from.
    pad
        Whose bank is read.
    """

    generator: AddressGenerator
    pad: Scratchpad

    @property
    def latency(self) -> int:
        """Cycles from taking a step to offering its word."""
        return self.pad.read_latency + 1

    @property
    def places(self) -> int:
        """Words that can be under way or waiting: what a word per cycle takes."""
        return self.latency + 1

    @property
    def word_layout(self) -> data.StructLayout:
        """``data`` with the marks of its step, and whether the step was inside."""
        return data.StructLayout({"data": self.pad.width, "first": 1, "last": 1, "inside": 1})

    def compute(self, nest: Nest, bank: ArrayLike) -> NDArray[Any]:
        """Return the words of a nest, of shape ``(steps,)``, from the contents of a bank, ``(depth,)``."""
        steps = nest.compute()
        return np.where(steps["inside"], np.asarray(bank)[np.where(steps["inside"], steps["address"], 0)], 0)

    def create(self) -> Reader:
        """Return the hardware."""
        return Reader(self)


class Reader(wiring.Component):
    """Hardware of a `BankReader`."""

    def __init__(self, parameters: BankReader) -> None:
        self.parameters = parameters
        super().__init__(
            {
                "steps": In(stream.Signature(parameters.generator.step_layout)),
                "read_enable": Out(1),
                "read_address": Out(range(parameters.pad.depth)),
                "read_data": In(parameters.pad.width),
                "words": Out(stream.Signature(parameters.word_layout)),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p, step = self.parameters, self.steps.payload
        m.submodules.queue = queue = Queue(p.word_layout, p.places)
        word = queue.words.payload
        used = Signal(range(p.places + 1), name="places_used")
        taken, left = self.steps.valid & self.steps.ready, self.words.valid & self.words.ready
        m.d.sync += used.eq(used + taken - left)
        arrival = Cat(taken, step.inside, step.first, step.last)
        for stage in range(p.pad.read_latency):
            late = Signal(4, name=f"read_{stage + 1}")
            m.d.sync += late.eq(arrival)
            arrival = late
        arrived, inside, first, last = arrival
        m.d.comb += [
            self.busy.eq(used != 0),
            self.steps.ready.eq(used != p.places),
            self.read_enable.eq(taken & step.inside),
            self.read_address.eq(step.address),
            queue.source.valid.eq(arrived),
            Value.cast(queue.source.payload).eq(Cat(self.read_data, first, last, inside)),
            self.words.valid.eq(queue.words.valid),
            Value.cast(self.words.payload).eq(Value.cast(word)),
            self.words.payload.data.eq(word.data & word.inside.replicate(p.pad.width)),
            queue.words.ready.eq(self.words.ready),
        ]
        return m
