"""First in, first out, for a few words: the first one is always in the same register."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class Queue(wiring.Component):
    """Registers between two streams, ``places`` of them; no path leads from one stream to the other within a cycle.

    ===========  ===  ==================================
    ``source``   in   stream; ready unless all are full
    ``words``    out  stream, a cycle later
    ===========  ===  ==================================
    """

    def __init__(self, layout: Any, places: int) -> None:
        super().__init__({"source": In(stream.Signature(layout)), "words": Out(stream.Signature(layout))})
        self.full = Signal(places)  # from the first on
        self.held = [
            Signal.like(Value.cast(self.words.payload), name=f"held_{place}", reset_less=True)
            for place in range(places)
        ]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        source, words, full, held = self.source, self.words, self.full, self.held
        given, taken = source.valid & source.ready, words.valid & words.ready
        word, behind = Value.cast(source.payload), Cat(full[1:], 0)
        for place, register in enumerate(held):
            with m.If(taken | ~full[place]):
                m.d.sync += register.eq(Mux(behind[place], held[place + 1], word) if place + 1 < len(held) else word)
        gives = given.replicate(len(full))
        m.d.sync += full.eq(Mux(taken, behind | (full & gives), full | (Cat(1, full[:-1]) & gives)))
        m.d.comb += [source.ready.eq(~full[-1]), words.valid.eq(full[0]), Value.cast(words.payload).eq(held[0])]
        return m
