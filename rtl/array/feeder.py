"""Feeder: words of all rows in, beats of an array out."""

from __future__ import annotations

from typing import Annotated

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from pydantic import Field

from hwsim.files import Frozen
from rtl import shapes
from rtl.array import sides
from rtl.array.parameters import SystolicArray


class Feeder(Frozen):
    """Collects a word of ``lanes`` channels per row of the array, and plays them, ``elements`` channels per beat.

    While a set of words is played, the next one is collected: ``max(rows, lanes / elements)`` cycles per set.

    Ports of the hardware, beside ``clk`` and ``rst``; all settings must not change while it is busy:

    ================================  ===  ====================================================================
    ``words``                         in   stream of `word_layout`: row 0 first; the first and last of a sum marked
    ``weights``                       in   stream of the columns' operands, one per beat
    ``beats``                         out  stream of the array's beats
    ``common``                        in   the common operands of all beats; ``reseed`` is also set in a sum's first
    ``elements``                      in   logarithm of the channels per beat
    ``last_word``                     in   words of a kernel position, less one
    ``lane_first``, ``lane_last``     in   of a kernel position: first lane of its first word, last of its last
    ``busy``                          out  words or beats are left
    ================================  ===  ====================================================================

    Attributes
    ----------
    array
        What the beats go to.
    lanes, lane_bits
        Of a word.
    """

    array: SystolicArray
    lanes: Annotated[int, Field(ge=1, le=256)] = 8
    lane_bits: Annotated[int, Field(ge=1, le=16)] = 8

    @property
    def word_layout(self) -> data.StructLayout:
        """A word with its marks, as a `BankReader` gives it."""
        return data.StructLayout({"data": self.lanes * self.lane_bits, "first": 1, "last": 1, "inside": 1})

    @property
    def weights_layout(self) -> data.StructLayout:
        """Operands of all columns, as a `BankReader` gives them."""
        width = self.array.columns * sum(
            shapes.width(form) for form in sides.operands(self.array.pe, "columns").values()
        )
        return data.StructLayout({"data": width, "first": 1, "last": 1, "inside": 1})

    @property
    def row_bits(self) -> int:
        """Bits of the operands of a row."""
        return sum(shapes.width(form) for form in sides.operands(self.array.pe, "rows").values())

    @property
    def choices(self) -> int:
        """How many numbers of channels a beat can have: 1, 2, 4 ..."""
        return (self.row_bits // self.lane_bits).bit_length()

    def create(self) -> FeederUnit:
        """Return the hardware."""
        return FeederUnit(self)


class FeederUnit(wiring.Component):
    """Hardware of a `Feeder`."""

    def __init__(self, parameters: Feeder) -> None:
        self.parameters = p = parameters
        common = Value.cast(Signal(p.array.beat_layout).common).shape()
        super().__init__(
            {
                "words": In(stream.Signature(p.word_layout)),
                "weights": In(stream.Signature(p.weights_layout)),
                "beats": Out(stream.Signature(p.array.beat_layout)),
                "common": In(common),
                "elements": In(range(p.choices)),
                "last_word": In(12),
                "lane_first": In(range(p.lanes)),
                "lane_last": In(range(p.lanes)),
                "busy": Out(1),
            }
        )
        self.marks = data.StructLayout({"first": 1, "last": 1, "starts": 1, "ends": 1})  # of a sum, of a position

        self.row = Signal(range(p.array.rows))  # of the next word
        self.playing = Signal()
        self.position = Signal(self.marks, name="position")  # of the words that are played
        self.lane = Signal(range(p.lanes))
        self.offers = Signal()  # the lane does not come before the first one; in registers, for the clock, as are
        self.final = Signal()  # whether it is the last one
        self.ends = Signal()  # and of a sum

    def elaborate(self, platform: object) -> Module:
        m = Module()
        full, move, step = Signal(), Signal(), Signal()
        words, marks = self._collect(m, full, move)
        m.d.comb += self.busy.eq(full | self.playing | (self.row != 0))
        self._offer(m, step)
        m.d.comb += move.eq(full & (~self.playing | (step & self.final)))
        self._play(m, move, step, words, marks)
        return m

    def _collect(self, m: Module, full: Signal, move: Signal) -> tuple[list[Signal], Signal]:
        """Fill a register per row, unless all are full and not moved."""
        p, word = self.parameters, self.words.payload
        held = [Signal(p.lanes * p.lane_bits, name=f"word_{row}", reset_less=True) for row in range(p.array.rows)]
        marks, index = Signal(self.marks), Signal(12)
        row = self.row
        taken, ends = self.words.valid & self.words.ready, self.words.valid & (row == p.array.rows - 1)
        complete = ends & self.words.ready
        m.d.comb += self.words.ready.eq(~full | move)
        with m.If(taken):
            m.d.sync += row.eq(Mux(complete, 0, row + 1))
        for place, register in enumerate(held):
            with m.If(taken & (row == place)):
                m.d.sync += register.eq(word.data)
        with m.If(taken & (row == 0)):
            m.d.sync += marks.first.eq(word.first)
        with m.If(complete):
            m.d.sync += [
                marks.last.eq(word.last),
                marks.starts.eq(index == 0),
                marks.ends.eq(index == self.last_word),
                index.eq(Mux(index == self.last_word, 0, index + 1)),
            ]
        m.d.sync += full.eq(ends | (full & ~move))  # if it is not ready for the last word, it stays full
        return held, marks

    def _offer(self, m: Module, step: Signal) -> None:
        """Offer the channels of the words one by one; those before the first lane pass without a beat."""
        beat = self.beats.payload
        m.d.comb += [
            self.beats.valid.eq(self.offers & self.weights.valid),
            self.weights.ready.eq(self.offers & self.beats.ready),
            step.eq(self.playing & (~self.offers | (self.beats.valid & self.beats.ready))),
            beat.first.eq(self.position.first & (self.lane == self.lane_first)),
            beat.last.eq(self.beats.valid & self.ends),
            Value.cast(beat.common).eq(self.common),
            Value.cast(beat.columns).eq(self.weights.payload.data),
        ]
        if "reseed" in beat.common.shape().members:  # a sum's random signs start again with it
            m.d.comb += beat.common.reseed.eq(data.View(beat.common.shape(), self.common).reseed | beat.first)

    def _play(self, m: Module, move: Signal, step: Signal, words: list[Signal], collected: Signal) -> None:
        """Go on to the next beat's channels, or to new words."""
        p, beat, marks = self.parameters, self.beats.payload, Signal(self.marks, name="next_position")
        held = [Signal.like(word, name=f"play_{row}", reset_less=True) for row, word in enumerate(words)]
        below, lane = Signal(range(p.lanes)), Signal(range(p.lanes), name="next_lane")
        playing, final = Signal(), Signal()
        m.d.comb += [
            below.eq((1 << self.elements) - 1),  # channels of a beat, less one
            lane.eq(Mux(move, 0, self.lane + below + 1)),
            playing.eq(move | ~self.final),
            final.eq((lane | below) == Mux(marks.ends, self.lane_last, p.lanes - 1)),
            marks.eq(Mux(move, Value.cast(collected), Value.cast(self.position))),
            *(Value.cast(beat.rows[row]).eq(word) for row, word in enumerate(held)),
        ]
        with m.If(move | step):
            m.d.sync += [
                self.playing.eq(playing),
                self.position.eq(marks),
                self.lane.eq(lane),
                self.offers.eq(playing & ~(marks.starts & (lane < self.lane_first))),
                self.final.eq(final),
                self.ends.eq(final & marks.last),
                *(
                    register.eq(Mux(move, word, self._shifted(register)))
                    for register, word in zip(held, words, strict=True)
                ),
            ]

    def _shifted(self, word: Value) -> Value:
        """The word from the next beat's channels on."""
        shifted = word
        for choice in range(self.parameters.choices):
            moved = word[self.parameters.lane_bits << choice :]
            shifted = moved if choice == 0 else Mux(self.elements == choice, moved, shifted)
        return shifted
