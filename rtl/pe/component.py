"""The hardware every PE shares: the stream contract, the pipeline and the accumulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, ValueLike, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl import shapes

if TYPE_CHECKING:
    from rtl.pe.element import Accumulator, ProcessingElement


class Beat(NamedTuple):
    """Control of a beat at one place of the pipeline."""

    valid: Value
    first: Value
    last: Value


class Term(NamedTuple):
    """What a beat adds: ``addend + carry``. A carry makes ``~a + 1``, a negation, free in the accumulator."""

    addend: Value
    carry: Value = Const(0, 1)


class Element(wiring.Component):
    """Base of the hardware of a PE; a subclass says what a term is (`term`)."""

    def __init__(self, parameters: ProcessingElement) -> None:
        self.parameters = parameters
        super().__init__(
            {
                "valid": In(1),
                "ready": Out(1),
                "first": In(1),
                "last": In(1),
                **{name: In(shapes.shape(form)) for name, form in parameters.operands.items()},
                "done": Out(1),
                **{name: Out(shape) for name, shape in parameters.results.items()},
            }
        )

        self.running = Signal(self.acc.shape(), name="running")

    def term(self, m: Module, beat: Beat, operands: dict[str, Value]) -> Any:
        """Return the term of the beat, built of its operands: a named tuple of values."""
        raise NotImplementedError

    def sum(self, m: Module, base: Value, term: Any) -> Value:
        """Return the accumulator's next value; a PE that sums other things than integers overrides it."""
        bits = len(base)
        overflow = cast("Accumulator", self.parameters).overflow
        return fit(add(m, base, term, bits + 1), bits, overflow)

    def _from(self, m: Module, first: Value, held: Signal) -> Value:
        base = Signal.like(held, name="base")
        m.d.comb += base.eq(Mux(first, 0, held))
        return base

    def operand_ports(self) -> dict[str, Value]:
        """Return the operand ports by name."""
        return {name: getattr(self, name) for name in self.parameters.operands}

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.ready.eq(1)
        beat, operands = Beat(self.valid, self.first, self.last), self.operand_ports()
        if self.parameters.stages >= 2:
            beat, operands = register(m, beat, operands, "operand")
        term = self.term(m, beat, operands)
        if self.parameters.stages >= 1:
            beat, term = self._later(m, beat, term, "term")
        if self.parameters.stages >= 3:
            beat, term = self._later(m, beat, term, "late_term")
        self.accumulate(m, beat, term)
        m.d.sync += self.done.eq(beat.valid & beat.last)
        return m

    def _later(self, m: Module, beat: Beat, term: Any, stage: str) -> tuple[Beat, Any]:
        beat, fields = register(m, beat, term._asdict(), stage)
        return beat, type(term)(**fields)

    def accumulate(self, m: Module, beat: Beat, term: Any) -> None:
        """Add the term to the accumulator when the beat is valid."""
        held = Signal(self.acc.shape(), name="sum", reset_less=True)
        m.d.comb += self.acc.eq(held)
        if self.parameters.restart == "first":
            total = self.sum(m, self._from(m, beat.first, held), term)
            with m.If(beat.valid):
                m.d.sync += held.eq(total)
            return
        running = self.running
        total = Signal(self.acc.shape(), name="total")
        m.d.comb += total.eq(self.sum(m, running, term))
        with m.If(beat.valid):
            m.d.sync += running.eq(total)
        with m.If(beat.valid & beat.last):  # outside the enable, so that it becomes the register's own reset
            m.d.sync += [running.eq(0), held.eq(total)]


def add(m: Module, base: Value, term: Term, bits: int) -> Value:
    """Return ``base + addend + carry`` in ``bits`` bits as one adder, the carry below the lowest bit."""
    total = Signal(bits + 1)
    m.d.comb += total.eq(Cat(Const(1, 1), extend(m, base, bits)) + Cat(term.carry, extend(m, term.addend, bits)))
    return total[1:].as_signed()


def extend(m: Module, value: ValueLike, bits: int) -> Value:
    """Return ``value`` extended by its own sign, or cut, to ``bits`` bits."""
    wide = Signal(signed(bits))
    m.d.comb += wide.eq(value)
    return wide


def fit(total: Value, bits: int, overflow: str) -> Value:
    """Return ``total``, which has ``bits + 1`` bits, wrapped or saturated to ``bits`` bits."""
    if overflow == "wrap":
        return total[:bits].as_signed()
    limit = Cat((~total[bits]).replicate(bits - 1), total[bits])
    return Mux(total[bits] ^ total[bits - 1], limit, total[:bits]).as_signed()


def register(m: Module, beat: Beat, data: dict[str, Value], stage: str) -> tuple[Beat, dict[str, Value]]:
    """Return beat and data one cycle later; data registers are clocked only by a valid beat."""
    valid = Signal(name=f"{stage}_valid")
    m.d.sync += valid.eq(beat.valid)
    fields = {"first": beat.first, "last": beat.last, **data}
    held = {name: Signal(field.shape(), name=f"{stage}_{name}", reset_less=True) for name, field in fields.items()}
    with m.If(beat.valid):
        m.d.sync += [held[name].eq(field) for name, field in fields.items()]
    return Beat(valid, held.pop("first"), held.pop("last")), held


def spread(bit: ValueLike, bits: int) -> Value:
    """Return ``bits`` copies of ``bit`` as a signed number; else ``&`` and ``^`` would widen."""
    return Value.cast(bit).replicate(bits).as_signed()


def negate_if(m: Module, value: Value, negative: ValueLike, bits: int) -> Term:
    """Return ``value`` or, where ``negative``, ``-value`` as a term: xor and a carry instead of an adder."""
    negative = Value.cast(negative)
    return Term(extend(m, value, bits) ^ spread(negative, bits), negative)
