"""Hardware of a systolic array: skew, PEs, drain and result buffer.

All PEs at one distance from the entry see a beat in the same cycle. Control (valid, first, last, common operands) is
therefore one delay line for the whole array, one stage per distance. Row and column operands have a line each, which
is both the skew in front of the array and the path through it.

Weights and results travel towards row 0. Each PE has a drain register that its result enters when it is done; when
the farthest PE is done, ``rows`` shifts empty the registers over row 0. Row ``r`` takes part in the first ``rows - r``
of them: then all below it has passed and it is free, just when the next tile may be done there
(`SystolicArray.interval`).
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.array.parameters import SystolicArray
from rtl.pe.component import Element


class Array(wiring.Component):
    """Hardware of a `SystolicArray`."""

    def __init__(self, parameters: SystolicArray) -> None:
        self.parameters = parameters
        super().__init__(
            {
                "beats": In(stream.Signature(parameters.beat_layout)),
                "results": Out(stream.Signature(parameters.row_layout)),
                "waits_for_drain": Out(1),
                "waits_for_results": Out(1),
            }
        )
        p = parameters
        self.gap = Signal(range(p.interval))  # cycles until the drain can take another tile
        self.draining = Signal()  # whether there are any: a register, for the clock
        self.tiles_owed = Signal(range(p.buffered_tiles + 1))  # ended, and not all rows taken
        self.full = Signal()  # whether they are as many as the buffer holds
        self.rows_to_shift = Signal(range(p.rows + 1))
        self.row = Signal(range(p.rows))  # the next one of its tile to be taken
        self.pes = [[p.pe.create() for _ in range(p.columns)] for _ in range(p.rows)]
        self.buffer = fifo.SyncFIFO(width=p.row_layout.size, depth=p.buffered_tiles * p.rows)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for row, column in self._places():
            m.submodules[f"pe_{row}_{column}"] = self.pes[row][column]
        self._feed(m)
        self._admit(m)
        self._drain(m)
        self._buffer(m)
        return m

    def _places(self) -> list[tuple[int, int]]:
        p = self.parameters
        return [(row, column) for row in range(p.rows) for column in range(p.columns)]

    def _feed(self, m: Module) -> None:
        """Give every PE the beat that is at its distance."""
        p, beat = self.parameters, self.beats.payload
        valids = [self.beats.valid & self.beats.ready]
        for distance in range(p.span):
            valids.append(Signal(name=f"valid_{distance + 1}"))
            m.d.sync += valids[-1].eq(valids[-2])
        control = Cat(beat.first, beat.last, Value.cast(beat.common))
        controls = _line(m, control, p.span, valids, "control")
        rows = [_line(m, beat.rows[row], p.distance(row, p.columns - 1), valids, f"row_{row}") for row in range(p.rows)]
        columns = [
            _line(m, beat.columns[column], p.distance(0, column), valids, f"column_{column}")
            for column in range(p.columns)
        ]
        for row, column in self._places():
            at, pe = p.distance(row, column), self.pes[row][column]
            m.d.comb += [
                pe.valid.eq(valids[at]),
                Cat(pe.first, pe.last, *_ports(pe, beat.common)).eq(controls[at]),
                Cat(_ports(pe, beat.rows[row])).eq(rows[row][at]),
                Cat(_ports(pe, beat.columns[column])).eq(columns[column][at]),
            ]

    def _admit(self, m: Module) -> None:
        """Take a beat when the first PE is ready and, if it ends a tile, its results have a free way out."""
        p, beats, gap, owed = self.parameters, self.beats, self.gap, Signal.like(self.tiles_owed, name="next_owed")
        ending = Signal(name="ending")  # the first PE may still be at work on the beat that ended a tile
        ready = self.pes[-1][0].ready
        ends = beats.valid & beats.payload.last & ready
        ended = ends & beats.ready
        m.d.comb += [
            self.waits_for_drain.eq(ends & self.draining),
            self.waits_for_results.eq(ends & ~self.draining & self.full),
            beats.ready.eq(ready & ~(beats.payload.last & (self.draining | self.full))),
            owed.eq(self.tiles_owed + ended - self._left(m)),
        ]
        with m.If(ended):
            m.d.sync += [gap.eq(p.interval - 1), self.draining.eq(p.interval > 1), ending.eq(1)]
        with m.Elif(ready | ~ending):
            m.d.sync += [gap.eq(Mux(self.draining, gap - 1, 0)), self.draining.eq(gap > 1), ending.eq(0)]
        m.d.sync += [self.tiles_owed.eq(owed), self.full.eq(owed == p.buffered_tiles)]

    def _left(self, m: Module) -> Signal:
        """Whether the last row of a tile is taken in this cycle."""
        taken, left = self.results.valid & self.results.ready, Signal(name="tile_left")
        m.d.comb += left.eq(taken & (self.row == self.parameters.rows - 1))
        with m.If(taken):
            m.d.sync += self.row.eq(Mux(left, 0, self.row + 1))
        return left

    def _drain(self, m: Module) -> None:
        """Shift the results of a tile into the buffer, row by row, once the farthest PE is done."""
        p, to_shift = self.parameters, self.rows_to_shift
        with m.If(self.pes[0][-1].done):
            m.d.sync += to_shift.eq(p.rows)
        with m.Elif(to_shift != 0):
            m.d.sync += to_shift.eq(to_shift - 1)
        held = [
            [Signal(p.result_shape, name=f"drain_{row}_{column}", reset_less=True) for column in range(p.columns)]
            for row in range(p.rows)
        ]
        for row, column in self._places():
            pe = self.pes[row][column]
            with m.If(pe.done):
                m.d.sync += held[row][column].eq(getattr(pe, p.result))
            if row + 1 < p.rows:
                with m.Elif(to_shift > row + 1):
                    m.d.sync += held[row][column].eq(held[row + 1][column])
        m.d.comb += [self.buffer.w_data.eq(Cat(held[0])), self.buffer.w_en.eq(to_shift != 0)]

    def _buffer(self, m: Module) -> None:
        m.submodules.buffer = queue = self.buffer
        m.d.comb += [
            self.results.valid.eq(queue.r_rdy),
            Value.cast(self.results.payload).eq(queue.r_data),
            queue.r_en.eq(self.results.ready),
        ]


def _line(m: Module, value: Any, stages: int, valids: list[Any], name: str) -> list[Value]:
    """Return ``value`` after 0, 1, ... ``stages`` registers; stage ``i`` is clocked when a beat enters it."""
    line = [Value.cast(value)]
    for stage in range(stages):
        line.append(Signal(len(line[0]), name=f"{name}_{stage + 1}", reset_less=True))
        with m.If(valids[stage]):
            m.d.sync += line[-1].eq(line[-2])
    return line


def _ports(pe: Element, operands: data.View[data.StructLayout]) -> list[Value]:
    """The PE's ports for the operands of a layout, in its order."""
    return [Value.cast(getattr(pe, name)) for name, _ in operands.shape()]
