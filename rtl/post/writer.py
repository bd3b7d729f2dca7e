"""Writer: takes rows of sums, has them post-processed, and writes them where the write nest says."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.files import Frozen
from rtl.control.command import ADDRESS_BITS, POST_LAYOUT
from rtl.memory import AddressGenerator, LaneMemory, Scratchpad
from rtl.post.processor import PostProcessor


class Writer(Frozen):
    """The way from rows of sums to the activations.

    A row is taken per cycle, or with a residual, whose read shares a port with the writes, in every other cycle: the
    second, fourth, ... after ``start``. Its activations are written ``latency`` cycles later.

    Ports of the hardware, beside ``clk`` and ``rst``:

    ===================================  ===  ================================================================
    ``start``                            in   a command begins: counters start again
    ``post``                             in   its settings
    ``last_tile``                        in   its tiles of channels, less one
    ``rows``                             in   stream of rows of sums
    ``steps``                            in   stream of an `AddressGenerator`, in slices of ``columns`` lanes
    ``parameters_...``, ``sums_...``     ...  to the scratchpads of parameters and partial sums
    ``enable``, ``write``, ``address``,  ...  to port B of the activations
    ``write_data``, ``data``
    ``busy``                             out  rows are under way
    ``write_fault``, ``sums_fault``,     out  in the cycle after a row was taken that has no place to read or write;
    ``parameters_fault``                      it must not go on
    ===================================  ===  ================================================================
    """

    post: PostProcessor
    generator: AddressGenerator
    activations: LaneMemory
    parameters: Scratchpad
    sums: Scratchpad

    @property
    def latency(self) -> int:
        """Cycles from taking a row to writing its activations: odd, so that no residual is read meanwhile.

        The memories' words arrive after one cycle, go through a register, and then to the post-processor; residuals
        arrive a cycle later, and so the post-processor takes them.
        """
        return 2 + self.post.latency

    @property
    def slices(self) -> int:
        """Slices per word of the activations."""
        return self.activations.lanes // self.post.columns

    def create(self) -> WriterUnit:
        """Return the hardware."""
        return WriterUnit(self)


class WriterUnit(wiring.Component):
    """Hardware of a `Writer`."""

    def __init__(self, parameters: Writer) -> None:
        self.parameters = p = parameters
        row = data.ArrayLayout(signed(p.post.sum_bits), p.post.columns)
        super().__init__(
            {
                "start": In(1),
                "post": In(POST_LAYOUT),
                "last_tile": In(12),
                "rows": In(stream.Signature(row)),
                "steps": In(stream.Signature(p.generator.step_layout)),
                "parameters_enable": Out(1),
                "parameters_address": Out(range(p.parameters.depth)),
                "parameters_data": In(p.parameters.width),
                "sums_enable": Out(1),
                "sums_address": Out(range(p.sums.depth)),
                "sums_data": In(row),
                "sums_write": Out(1),
                "sums_write_address": Out(range(p.sums.depth)),
                "sums_write_data": Out(row),
                "enable": Out(1),
                "write": Out(p.activations.lanes),
                "address": Out(range(p.activations.depth)),
                "write_data": Out(p.activations.width),
                "data": In(p.activations.width),
                "busy": Out(1),
                "write_fault": Out(1),
                "sums_fault": Out(1),
                "parameters_fault": Out(1),
            }
        )
        step = {"inside": 1, "slice": range(p.slices), "address": range(p.activations.depth), "columns": p.post.columns}
        self.place = data.StructLayout(step)  # where a row goes, and which of its columns
        self.reads = Signal()  # a residual, from word
        self.source = Signal(range(p.activations.depth))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        taken = self._take(m)
        place = self._place(m)
        source, late_source = (Signal(range(self.parameters.slices), name=f"source_{stage}") for stage in range(2))
        m.d.sync += [source.eq(self._read_residual(m, taken)), late_source.eq(source)]
        late = [_Stage(taken, place)]
        for stage in range(self.parameters.latency):
            late.append(late[-1].registered(m, stage))
        m.d.comb += self.busy.eq(Cat(stage.valid for stage in late[1:]).any())
        values = self._process(m, late_source, late[2])
        self._write(m, late[-1], values)
        return m

    def _take(self, m: Module) -> Value:
        """Take a row with its step, in even cycles only if there is a residual to read."""
        phase, taken = Signal(), Signal()
        ready = ~(self.post.with_residual & phase)
        m.d.sync += phase.eq(~self.start & ~phase)
        m.d.comb += [
            taken.eq(self.rows.valid & self.steps.valid & ready),
            self.rows.ready.eq(self.steps.valid & ready),
            self.steps.ready.eq(self.rows.valid & ready),
        ]
        return taken

    def _place(self, m: Module) -> Any:
        """Where the row on offer goes; also reads its parameters and partial sum."""
        p, step, post = self.parameters, self.steps.payload, self.post
        place, tile = Signal(self.place), Signal(12)
        parameter, row = Signal(ADDRESS_BITS + 1), Signal(range(p.sums.depth + 1))
        taken = self.rows.valid & self.rows.ready
        with m.If(self.start):
            m.d.sync += [tile.eq(0), parameter.eq(post.parameters), row.eq(0)]
        with m.Elif(taken):
            m.d.sync += row.eq(Mux(row == p.sums.depth, row, row + 1))
            with m.If(step.last):
                m.d.sync += [tile.eq(tile + 1), parameter.eq(parameter + 1)]
        after = [(tile != 0) | (column >= post.column_first) for column in range(p.post.columns)]
        before = [(tile != self.last_tile) | (column <= post.column_last) for column in range(p.post.columns)]
        sums = post.sums_read | post.sums_write
        m.d.comb += [
            place.inside.eq(step.inside & ~post.sums_write),
            place.slice.eq(step.address & (p.slices - 1)),
            place.address.eq(step.address >> (p.slices.bit_length() - 1)),
            place.columns.eq(Cat(after) & Cat(before)),
            self.parameters_enable.eq(taken),
            self.parameters_address.eq(parameter),
            self.sums_enable.eq(taken & post.sums_read),
            self.sums_address.eq(row),
        ]
        m.d.sync += [
            self.parameters_fault.eq(taken & ~post.sums_write & (parameter >= p.parameters.depth)),
            self.sums_fault.eq(taken & sums & (row == p.sums.depth)),
        ]
        return place

    def _read_residual(self, m: Module, taken: Value) -> Value:
        """Begin to read the residual of the row on offer; return the slice of its word."""
        p, step = self.parameters, self.steps.payload
        slices = p.activations.depth * p.slices
        shift = p.slices.bit_length() - 1
        source = Signal(signed(len(step.address) + 2))
        m.d.comb += [
            source.eq(step.address + self.post.residual),
            self.reads.eq(taken & step.inside & self.post.with_residual),
            self.source.eq(source[shift:]),
        ]
        m.d.sync += self.write_fault.eq(self.reads & ((source < 0) | (source >= slices)))
        return source[:shift]

    def _process(self, m: Module, source: Signal, stage: _Stage) -> Any:
        """Add the partial sum to a row whose operands have arrived, store it or scale it."""
        p, post = self.parameters, self.post

        def later(value: Any, name: str) -> Any:
            held = Signal.like(value, name=name, reset_less=True)
            m.d.sync += held.eq(value)
            return held

        m.submodules.pipeline = pipeline = p.post.create()
        bits = len(self.data) // p.slices
        word = self.data.word_select(source, bits) if p.slices > 1 else self.data
        row = later(later(self.rows.payload, "row"), "late_row")
        sums = later(self.sums_data, "partial_sums")
        total = [Mux(post.sums_read, sums[column], 0) + row[column] for column in range(p.post.columns)]
        m.d.comb += [
            *(place.eq(value) for place, value in zip(pipeline.sums, total, strict=True)),
            *(place.eq(value) for place, value in zip(self.sums_write_data, total, strict=True)),
            self.sums_write.eq(stage.valid & post.sums_write),
            self.sums_write_address.eq(later(later(self.sums_address, "sum"), "late_sum")),
            Value.cast(pipeline.parameters_word).eq(later(self.parameters_data, "parameters")),
            Value.cast(pipeline.residual).eq(later(word & post.with_residual.replicate(bits), "residual")),
            pipeline.post.eq(post),
        ]
        return pipeline.values

    def _write(self, m: Module, stage: _Stage, values: Any) -> None:
        p, place = self.parameters, stage.place
        columns = place.columns & (stage.valid & place.inside).replicate(p.post.columns)
        lanes = Cat(columns & (place.slice == index).replicate(p.post.columns) for index in range(p.slices))
        m.d.comb += [
            self.write.eq(lanes),
            self.enable.eq(self.reads | lanes.any()),
            self.address.eq(Mux(lanes.any(), place.address, self.source)),
            self.write_data.eq(Value.cast(values).replicate(p.slices)),
        ]


class _Stage:
    """A row on its way: whether there is one, and its place."""

    def __init__(self, valid: Value, place: Any) -> None:
        self.valid, self.place = valid, place

    def registered(self, m: Module, stage: int) -> _Stage:
        """The same a cycle later."""
        valid, place = Signal(name=f"valid_{stage}"), Signal(self.place.shape(), name=f"place_{stage}")
        m.d.sync += [valid.eq(self.valid), place.eq(self.place)]
        return _Stage(valid, place)
