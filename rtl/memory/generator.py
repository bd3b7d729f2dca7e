"""Programmable nested-loop address generator: one step of a `Nest` per cycle, with one adder per sum."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Annotated, Any

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from pydantic import Field

from hwsim.errors import InputError
from hwsim.files import Frozen
from rtl.memory.nest import Coordinate, Nest
from rtl.memory.queue import Queue


class AddressGenerator(Frozen):
    """Hardware that walks any `Nest` of at most ``loops`` loops through a bank of ``depth`` words.

    Ports of the hardware, beside ``clk`` and ``rst``:

    ===========  ===  ==================================================================================
    ``program``  in   `program_layout`; must not change while busy
    ``start``    in   begin, unless busy
    ``busy``     out  steps are left
    ``steps``    out  stream with payload `step_layout`, the first two cycles after ``start``
    ``fault``    out  a step inside the tensor lay outside the bank; stays until the next start
    ===========  ===  ==================================================================================

    Whatever the program, an ``inside`` step has an address of the bank: one that has not is given as padding and
    raises ``fault``. Cycles: ``cycles``.

    Attributes
    ----------
    depth
        Words of the bank.
    loops
        Loops that a program can have.
    coordinates
        Coordinates that a program can have.
    count_bits
        Width of a loop counter: a loop has at most ``2**count_bits`` iterations.
    coordinate_bits
        Width of a signed coordinate.
    """

    depth: Annotated[int, Field(ge=1, le=1 << 20)] = 1024
    loops: Annotated[int, Field(ge=1, le=12)] = 8
    coordinates: Annotated[int, Field(ge=0, le=4)] = 2
    count_bits: Annotated[int, Field(ge=1, le=20)] = 12
    coordinate_bits: Annotated[int, Field(ge=2, le=20)] = 12

    @property
    def sum_shape(self) -> Shape:
        """Shape of an address before it is checked: a sum modulo this is right wherever it is in the bank."""
        return unsigned((self.depth - 1).bit_length() + 1)

    @property
    def program_layout(self) -> data.StructLayout:
        """Loops, outermost first, then where sums start and end."""
        coordinate = unsigned(self.coordinate_bits)
        loop = {
            "last": self.count_bits,  # index of the last iteration
            "address": self.sum_shape,  # increments
            "coordinates": data.ArrayLayout(coordinate, self.coordinates),
            "summed": 1,  # the loop is part of a sum, as are all inside it
        }
        return data.StructLayout(
            {
                "loops": data.ArrayLayout(data.StructLayout(loop), self.loops),
                "address": self.sum_shape,
                "coordinates": data.ArrayLayout(coordinate, self.coordinates),
                "sizes": data.ArrayLayout(coordinate, self.coordinates),
            }
        )

    @property
    def step_layout(self) -> data.StructLayout:
        """A step: ``address`` counts only where ``inside``; ``first`` and ``last`` mark a sum."""
        return data.StructLayout({"address": range(self.depth), "inside": 1, "first": 1, "last": 1})

    def cycles(self, nest: Nest) -> int:
        """Return the cycles from ``start`` to the last step, both included, when every step is taken at once."""
        return nest.steps + 2

    def program(self, nest: Nest) -> dict[str, Any]:
        """Return the program of a nest, as a constant for `program_layout`.

        Raises
        ------
        InputError
            If the nest does not fit the hardware or leaves the bank.
        """
        self._check(nest)
        unused = self.loops - len(nest.counts)
        modulus, ring = 1 << self.sum_shape.width, 1 << self.coordinate_bits
        increments = [nest.increments(coordinate.strides) for coordinate in nest.coordinates]
        spare = self.coordinates - len(nest.coordinates)
        loops = [
            {
                "last": count - 1,
                "address": step % modulus,
                "coordinates": [column[loop] % ring for column in increments] + [0] * spare,
                "summed": int(loop >= len(nest.counts) - nest.inner),
            }
            for loop, (count, step) in enumerate(zip(nest.counts, nest.increments(nest.strides), strict=True))
        ]
        idle = {"last": 0, "address": 0, "coordinates": [0] * self.coordinates, "summed": 0}
        return {
            "loops": [idle] * unused + loops,
            "address": nest.start % modulus,
            "coordinates": [coordinate.start % ring for coordinate in nest.coordinates] + [0] * spare,
            "sizes": [coordinate.size for coordinate in nest.coordinates] + [1] * spare,
        }

    def nest(self, program: Any) -> Nest:
        """Return the nest of a program, a constant of `program_layout`; it has all loops and coordinates."""
        loops = [program.loops[loop] for loop in range(self.loops)]
        counts = tuple(loop.last + 1 for loop in loops)
        axes = range(self.coordinates)
        bits = self.coordinate_bits
        return Nest(
            counts=counts,
            strides=_strides(counts, [_signed(loop.address, self.sum_shape.width) for loop in loops]),
            start=_signed(program.address, self.sum_shape.width),
            coordinates=tuple(
                Coordinate(
                    start=_signed(program.coordinates[axis], bits),
                    strides=_strides(counts, [_signed(loop.coordinates[axis], bits) for loop in loops]),
                    size=program.sizes[axis],
                )
                for axis in axes
            ),
            inner=sum(loop.summed for loop in loops),
        )

    def _check(self, nest: Nest) -> None:
        for name, used, limit in (
            ("counts", len(nest.counts), self.loops),
            ("coordinates", len(nest.coordinates), self.coordinates),
            ("counts", max(nest.counts), 1 << self.count_bits),
        ):
            if used > limit:
                raise InputError(f"must be at most {limit}", field=name, value=used)
        half = 1 << (self.coordinate_bits - 1)
        for coordinate in nest.coordinates:
            reach = [(count - 1) * stride for count, stride in zip(nest.counts, coordinate.strides, strict=True)]
            low = coordinate.start + sum(min(step, 0) for step in reach)
            high = coordinate.start + sum(max(step, 0) for step in reach)
            if low < -half or max(high, coordinate.size) >= half:
                rule = f"must stay within {-half} and {half - 1}"
                raise InputError(rule, field="coordinates", value=(low, max(high, coordinate.size)))
        low, high = nest.address_range() or (0, 0)
        if low < 0 or high >= self.depth:
            rule = f"addresses must be within the bank's 0 and {self.depth - 1}"
            raise InputError(rule, field="strides", value=(low, high))

    def create(self) -> Generator:
        """Return the hardware."""
        return Generator(self)


class Generator(wiring.Component):
    """Hardware of an `AddressGenerator`."""

    def __init__(self, parameters: AddressGenerator) -> None:
        self.parameters = parameters
        super().__init__(
            {
                "program": In(parameters.program_layout),
                "start": In(1),
                "busy": Out(1),
                "steps": Out(stream.Signature(parameters.step_layout)),
                "fault": Out(1),
            }
        )
        self.walks = Signal()  # steps are left beside those in the queue
        self.queue = Queue(parameters.step_layout, places=2)
        self.address = Signal(parameters.sum_shape)
        self.left = [Signal(parameters.count_bits, name=f"left_{loop}") for loop in range(parameters.loops)]
        self.ended = Signal(parameters.loops)  # whether no iterations of each loop are left: registers, for the clock
        self.carries = Signal(parameters.loops)  # whether all loops inside each have ended
        self.begins = Signal()  # the step is the first of a sum
        self.places = [
            Signal(parameters.coordinate_bits, name=f"place_{axis}") for axis in range(parameters.coordinates)
        ]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.queue = queue = self.queue
        connect(m, queue.words, flipped(self.steps))
        m.d.comb += self.busy.eq(self.walks | self.steps.valid)
        self._offer(m)
        with m.If(self.start & ~self.busy):
            self._rewind(m)
        with m.Elif(self.walks & queue.source.ready):
            self._advance(m)
        return m

    def in_bank(self) -> Value:
        """Whether the address exists."""
        return self.address < self.parameters.depth

    def _last(self, loop: int) -> Value:
        return Value.cast(self.program.loops[loop].last)

    def _summed(self) -> Value:
        return Cat(self.program.loops[loop].summed for loop in range(self.parameters.loops))

    def _offer(self, m: Module) -> None:
        """Put a step into the queue: what is inside takes long to tell, and is wanted far away."""
        step, inside = self.queue.source.payload, Signal()
        sizes = [self.program.sizes[axis] for axis in range(self.parameters.coordinates)]
        m.d.comb += [
            inside.eq(Cat(place < size for place, size in zip(self.places, sizes, strict=True)).all()),
            self.queue.source.valid.eq(self.walks),
            step.address.eq(self.address),
            step.inside.eq(inside & self.in_bank()),
            step.first.eq(self.begins),
            step.last.eq((~self._summed() | self.ended).all()),
        ]
        with m.If(self.walks & inside & ~self.in_bank()):
            m.d.sync += self.fault.eq(1)

    def _rewind(self, m: Module) -> None:
        ended = Cat(self._last(loop) == 0 for loop in range(self.parameters.loops))
        m.d.sync += [
            self.walks.eq(1),
            self.fault.eq(0),
            self.begins.eq(1),
            self.address.eq(self.program.address),
            self.ended.eq(ended),
            self.carries.eq(_all_inside(ended)),
            *(left.eq(self._last(loop)) for loop, left in enumerate(self.left)),
            *(place.eq(self.program.coordinates[axis]) for axis, place in enumerate(self.places)),
        ]

    def _advance(self, m: Module) -> None:
        """Advance the innermost loop that has not ended; those inside it start again."""
        loops, ended = range(self.parameters.loops), []
        advances = self.carries & ~self.ended
        with m.If(self.ended.all()):
            m.d.sync += self.walks.eq(0)
        m.d.sync += self.begins.eq(~(advances & self._summed()).any())
        for loop, left in enumerate(self.left):
            last = self._last(loop)
            with m.If(self.carries[loop]):
                m.d.sync += left.eq(Mux(self.ended[loop], last, left - 1))
            then = Mux(self.ended[loop], last == 0, left == 1)
            ended.append(Mux(self.carries[loop], then, self.ended[loop]))
        m.d.sync += [self.ended.eq(Cat(ended)), self.carries.eq(_all_inside(Cat(ended)))]
        steps = [self.program.loops[loop].address for loop in loops]
        m.d.sync += self.address.eq(self.address + _chosen(advances, steps))
        for axis, place in enumerate(self.places):
            steps = [self.program.loops[loop].coordinates[axis] for loop in loops]
            m.d.sync += place.eq(place + _chosen(advances, steps))


def _all_inside(ended: Value) -> Value:
    """Return per loop whether all loops inside it have ended."""
    return Cat(ended[loop + 1 :].all() for loop in range(len(ended)))


def _signed(code: int, bits: int) -> int:
    return code - (code >> (bits - 1) << bits)


def _strides(counts: tuple[int, ...], increments: list[int]) -> tuple[int, ...]:
    """Return the strides that have these increments (`Nest.increments`)."""
    strides: list[int] = []
    rewind = 0
    for count, increment in zip(reversed(counts), reversed(increments), strict=True):
        strides.insert(0, increment + rewind)
        rewind += (count - 1) * strides[0]
    return tuple(strides)


def _chosen(chosen: Value, values: list[Value]) -> Value:
    """Return the value whose bit is set, or zero: at most one is."""
    masked = [value & bit.replicate(len(value)) for bit, value in zip(chosen, values, strict=True)]
    return reduce(or_, masked)
