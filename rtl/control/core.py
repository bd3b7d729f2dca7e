"""The accelerator's hardware: scratchpads, array, post-processor, pooling, mover and sequencer, connected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amaranth.hdl import Cat, Module, Mux, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl.array.feeder import Feeder
from rtl.control.command import TARGETS, Convolution, Pooling, Store
from rtl.control.execution import Error
from rtl.control.mover import Mover
from rtl.control.port import Arbiter, MemoryPort
from rtl.control.sequencer import Sequencer
from rtl.memory import BankReader, LaneMemory

if TYPE_CHECKING:
    from rtl.accelerator import Accelerator

COUNTERS = (
    "cycles", "beats", "input_stall", "drain_stall", "results_stall", "load_stall", "rows", "activation_reads",
    "activation_writes", "weight_reads", "residual_reads", "external_words",
)  # fmt: skip
"""Performance counters, cleared by ``start``: cycles while running; beats taken; cycles in which the array waits for a
beat between the start of a convolution and its last beat, for its drain, for room for results; cycles in which a
command waits for loads; rows of results post-processed; words read and written; words through the memory port."""

COUNTER_BITS = 32


class Core(wiring.Component):
    """Hardware of an `Accelerator`.

    =====================  ===  ===========================================================================
    ``start``, ``entry``   in   begin the program at an address of the external memory, unless running
    ``running``            out  a program is run
    ``done``               out  for a cycle: the program ended, well or not
    ``error``, ``index``   out  why; number of the command
    ``counters``           out  `COUNTERS`
    ``memory``             out  port to the external memory
    =====================  ===  ===========================================================================
    """

    def __init__(self, parameters: Accelerator) -> None:
        self.parameters = parameters
        super().__init__(
            {
                "start": In(1),
                "entry": In(32),
                "running": Out(1),
                "done": Out(1),
                "error": Out(Error),
                "index": Out(16),
                "counters": Out(data.StructLayout(dict.fromkeys(COUNTERS, COUNTER_BITS))),
                "memory": Out(MemoryPort(parameters.memory_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p, pads, generators = self.parameters, self.parameters.memories, self.parameters.generators
        parts: dict[str, Any] = {
            "sequencer": Sequencer(
                memory_bits=p.memory_bits, depths=tuple(pads[name].depth for name in TARGETS), patience=p.patience
            ),
            "mover": Mover(
                memory_bits=p.memory_bits, burst=p.burst, widths=tuple(pads[name].width for name in TARGETS)
            ),
            "activations": LaneMemory(depth=p.activation_words, lanes=p.lanes, lane_bits=p.activation_bits),
            **{name: pads[name] for name in ("weights", "parameters", "sums")},
            **{f"{name}_generator": generator for name, generator in generators.items()},
            "reader": BankReader(generator=generators["read"], pad=pads["activations"]),
            "weight_reader": BankReader(generator=generators["weights"], pad=pads["weights"]),
            "feeder": Feeder(array=p.array, lanes=p.lanes, lane_bits=p.activation_bits),
            "array": p.array,
            "pool": p.pool,
            "writer": p.writer,
        }
        for name, part in parts.items():
            unit = part.create()
            setattr(m.submodules, name, unit)
            setattr(self, f"_{name}", unit)
        self._command = self._sequencer.command
        self._control(m)
        self._read(m)
        self._stream(m)
        self._write(m)
        self._count(m)
        return m

    def _is(self, kind: type) -> Value:
        return self._sequencer.runs(kind)

    def _control(self, m: Module) -> None:
        """Sequencer, mover and the port that they share."""
        sequencer, mover, command = self._sequencer, self._mover, self._command
        m.submodules.arbiter = self._arbiter = arbiter = Arbiter(self.parameters.memory_bits)
        connect(m, sequencer.memory, arbiter.first)
        connect(m, mover.memory, arbiter.second)
        connect(m, arbiter.memory, flipped(self.memory))
        work = sequencer.work
        self._starts = {"read": work, "weights": work & self._is(Convolution), "write": work & ~self._is(Store)}
        units = [self._read_generator, self._write_generator, self._weights_generator, self._reader,
                 self._weight_reader, self._feeder, self._pool, self._writer]  # fmt: skip
        writer = self._writer
        faults = [
            self._read_generator.fault, self._write_generator.fault | writer.write_fault,
            self._weights_generator.fault, writer.parameters_fault, writer.sums_fault, self.memory.failed,
        ]  # fmt: skip
        m.d.comb += [
            sequencer.start.eq(self.start),
            sequencer.entry.eq(self.entry),
            sequencer.working.eq(Cat(unit.busy for unit in units).any() | (self._array.tiles_owed != 0)),
            sequencer.moving.eq(mover.busy),
            sequencer.faults.eq(Cat(faults)),
            sequencer.moved.eq(arbiter.moves | Cat(self._events().values()).any()),
            *(getattr(self, name).eq(getattr(sequencer, name)) for name in ("running", "done", "error", "index")),
            mover.start.eq(sequencer.move),
            mover.store.eq(self._is(Store)),
            *(getattr(mover, name).eq(command[name]) for name in ("target", "address", "count", "external")),
        ]

    def _read(self, m: Module) -> None:
        """Generators, and the words of activations and weights that they ask for."""
        for name, starts in self._starts.items():
            generator = getattr(self, f"_{name}_generator")
            _program(m, generator.program, self._command[name])
            m.d.comb += generator.start.eq(starts)
        for reader, generator in ((self._reader, self._read_generator), (self._weight_reader, self._weights_generator)):
            m.d.comb += [
                reader.steps.valid.eq(generator.steps.valid),
                Value.cast(reader.steps.payload).eq(Value.cast(generator.steps.payload)),
                generator.steps.ready.eq(reader.steps.ready),
            ]
        m.d.comb += [
            self._activations.read_enable.eq(self._reader.read_enable),
            self._activations.read_address.eq(self._reader.read_address),
            self._reader.read_data.eq(self._activations.read_data),
            self._weights.read_enable[0].eq(self._weight_reader.read_enable),
            self._weights.read_address[0].eq(self._weight_reader.read_address),
            self._weight_reader.read_data.eq(self._weights.read_data[0]),
        ]

    def _stream(self, m: Module) -> None:
        """Words to the feeder, the pooling unit or the mover; beats to the array; rows to the writer."""
        words, command, feeder, array = self._reader.words, self._command, self._feeder, self._array
        clients = {Convolution: feeder, Pooling: self._pool, Store: self._mover}
        for kind, client in clients.items():
            m.d.comb += [
                client.words.valid.eq(words.valid & self._is(kind)),
                Value.cast(client.words.payload).eq(Value.cast(words.payload)),
            ]
        m.d.comb += [
            words.ready.eq(Cat(client.words.ready & self._is(kind) for kind, client in clients.items()).any()),
            *(getattr(feeder, name).eq(command[name]) for name in ("common", "elements", "lane_first", "lane_last")),
            feeder.last_word.eq(command.read.loops[5].last),
            feeder.weights.valid.eq(self._weight_reader.words.valid),
            Value.cast(feeder.weights.payload).eq(Value.cast(self._weight_reader.words.payload)),
            self._weight_reader.words.ready.eq(feeder.weights.ready),
            self._pool.maximum.eq(command.maximum),
        ]
        connect(m, feeder.beats, array.beats)
        rows = self._writer.rows
        for source, kind in ((array.results, Convolution), (self._pool.rows, Pooling)):
            m.d.comb += source.ready.eq(rows.ready & self._is(kind))
        pools = self._is(Pooling)
        m.d.comb += [
            rows.valid.eq(Mux(pools, self._pool.rows.valid, array.results.valid)),
            Value.cast(rows.payload).eq(
                Mux(pools, Value.cast(self._pool.rows.payload), Value.cast(array.results.payload))
            ),
        ]

    def _write(self, m: Module) -> None:
        """The writer and the mover share the write ports of the scratchpads."""
        writer, mover, command, write = self._writer, self._mover, self._command, self._command.write
        steps, activations, loads = self._write_generator.steps, self._activations, self._mover.write[0]
        parameters, weights, sums = self._parameters, self._weights, self._sums
        m.d.comb += [
            writer.start.eq(self._sequencer.work),
            writer.post.eq(command.post),
            writer.last_tile.eq(Mux(write.loops[0].summed, 0, write.loops[0].last)),
            writer.steps.valid.eq(steps.valid),
            Value.cast(writer.steps.payload).eq(Value.cast(steps.payload)),
            steps.ready.eq(writer.steps.ready),
            activations.enable.eq(writer.enable | loads),
            activations.write.eq(writer.write | loads.replicate(activations.parameters.lanes)),
            activations.address.eq(Mux(loads, mover.write_address, writer.address)),
            activations.write_data.eq(Mux(loads, mover.write_data[0], writer.write_data)),
            writer.data.eq(activations.data),
            parameters.read_enable[0].eq(writer.parameters_enable),
            parameters.read_address[0].eq(writer.parameters_address),
            writer.parameters_data.eq(parameters.read_data[0]),
            sums.read_enable[0].eq(writer.sums_enable),
            sums.read_address[0].eq(writer.sums_address),
            Value.cast(writer.sums_data).eq(sums.read_data[0]),
            sums.write_enable[0].eq(writer.sums_write),
            sums.write_address[0].eq(writer.sums_write_address),
            sums.write_data[0].eq(Value.cast(writer.sums_write_data)),
        ]
        for target, pad in ((1, weights), (2, parameters)):
            m.d.comb += [
                pad.write_enable[0].eq(mover.write[target]),
                pad.write_address[0].eq(mover.write_address),
                pad.write_data[0].eq(mover.write_data[target]),
            ]

    def _events(self) -> dict[str, Value]:
        """What a counter counts and a stuck program lacks."""
        beats, rows = self._array.beats, self._writer.rows
        return {
            "beats": beats.valid & beats.ready,
            "rows": rows.valid & rows.ready,
            "activation_reads": self._activations.read_enable,
            "activation_writes": self._activations.write.any(),
            "weight_reads": self._weights.read_enable[0],
            "residual_reads": self._writer.enable & ~self._writer.write.any(),
            "external_words": self._arbiter.moves & ~self.memory.written,
        }

    def _count(self, m: Module) -> None:
        array, beats = self._array, self._array.beats
        feeding = self._weights_generator.busy | self._weight_reader.busy  # until the last beat of a convolution
        events = {
            **self._events(),
            "cycles": self.running,
            "input_stall": feeding & ~beats.valid & beats.ready,
            "drain_stall": array.waits_for_drain,
            "results_stall": array.waits_for_results,
            "load_stall": self._sequencer.waits,
        }
        for name in events if self.parameters.profiling else ("cycles",):
            counter, event = self.counters[name], events[name]
            with m.If(self.start & ~self.running):
                m.d.sync += counter.eq(0)
            with m.Elif(event):
                m.d.sync += counter.eq(counter + 1)


def _program(m: Module, own: data.View[data.StructLayout], code: Value) -> None:
    """Give a generator the program of a command, whose addresses are wider."""
    loops, axes = (own.shape()[name].shape.length for name in ("loops", "sizes"))
    m.d.comb += own.address.eq(code.address)
    for axis in range(axes):
        m.d.comb += [own.coordinates[axis].eq(code.coordinates[axis]), own.sizes[axis].eq(code.sizes[axis])]
    for loop in range(loops):
        m.d.comb += [
            own.loops[loop].last.eq(code.loops[loop].last),
            own.loops[loop].address.eq(code.loops[loop].address),
            *(own.loops[loop].coordinates[axis].eq(code.loops[loop].coordinates[axis]) for axis in range(axes)),
            own.loops[loop].summed.eq(code.loops[loop].summed),
        ]
