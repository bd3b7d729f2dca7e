"""What each PE means, in the plainest hardware: the other side of the proofs.

A naive term uses ``*``, ``<<``, ``>>`` and choices, one product per line, no carries and no sharing. It is
written apart from the PE's own term and from its twin. `Specification` sums it in one cycle and delays what a
PE delays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Cat, Elaboratable, Module, Mux, Shape, Signal, Value, signed

from rtl import shapes
from rtl.pe import lfsr
from rtl.pe.adder import AdderPE
from rtl.pe.binary import BinaryAddPE
from rtl.pe.element import Accumulator
from rtl.pe.fusible import FusibleMac
from rtl.pe.integer import IntegerMac
from rtl.pe.predictive import PredictiveSignPE
from rtl.pe.serial import BitSerialMac
from rtl.pe.shift import ShiftPE
from rtl.pe.shift_add import ShiftAddPE
from rtl.pe.simhash import SimHashTree
from rtl.pe.ternary import TernaryAddPE

Operands = dict[str, Value]


def multiply(pe: IntegerMac, m: Module, beat: Value, given: Operands, inner: Operands) -> Value:
    """Product of the operands."""
    return given["x"] * given["w"]


def shift(pe: ShiftPE, m: Module, beat: Value, given: Operands, inner: Operands) -> Value:
    """Multiplication or division by each power of two in turn."""
    code = Value.cast(given["w"])
    wide = given["x"] << pe.fraction
    magnitude: Value = Value.cast(0)
    for exponent in range(pe.largest_shift + 1):
        moved = wide * (1 << exponent) if pe.direction == "left" else wide // (1 << exponent)
        magnitude = Mux(code[:-1] == exponent, moved, magnitude)
    return Mux(code[-1], -magnitude, magnitude)


def distance(pe: AdderPE, m: Module, beat: Value, given: Operands, inner: Operands) -> Value:
    """Minus the larger difference."""
    x, w = given["x"], given["w"]
    return -Mux(x > w, x - w, w - x)


def shift_or_distance(pe: ShiftAddPE, m: Module, beat: Value, given: Operands, inner: Operands) -> Value:
    """The product with a power of two, or minus the larger difference."""
    x, w = given["x"], given["w"]
    product: Value = Value.cast(0)
    for exponent in range(pe.largest_shift + 1):
        product = Mux(w[: pe.shift_bits - 1] == exponent, x * (1 << exponent), product)
    product = Mux(w[pe.shift_bits - 1], -product, product)
    return Mux(given["mode"], -Mux(x > w, x - w, w - x), product)


def masked(pe: BinaryAddPE, m: Module, beat: Value, given: Operands, inner: Operands) -> Value:
    """The activation, or nothing, or its opposite."""
    x, w = given["x"], given["w"]
    return Mux(w, x, 0) if pe.weights == "bin01" else Mux(w, -x, x)


def regenerated(pe: TernaryAddPE, m: Module, beat: Value, given: Operands, inner: Operands) -> Value:
    """The activation times a mask bit times a sign from a shift register."""
    held, state = inner["state"], Signal(pe.lfsr_bits)
    m.d.comb += state.eq(Mux(given["reseed"], given["seed"], held))
    parity = Cat(state[tap - 1] for tap in lfsr.TAPS[pe.lfsr_bits]).xor()
    with m.If(beat):
        m.d.sync += held.eq(Cat(parity, state))
    return Mux(given["keep"], Mux(state[0], -given["x"], given["x"]), 0)


def lanes(pe: FusibleMac, m: Module, beat: Value, given: Operands, inner: Operands) -> Value:
    """Sum of the products of all lanes, for each pair of widths in turn."""
    buses = [Cat(given[port] for port in pe.bus(name)) for name in ("x", "w")]
    widths = [2 << mode for mode in range(pe.modes)]
    totals = [
        _two_bits_at_a_time(pe, *buses, x_bits, w_bits)  # type: ignore[call-arg] # two buses
        for x_bits in widths for w_bits in widths
    ]  # fmt: skip
    total = Signal(signed(pe.term_bits))
    modes = [Mux(given[name] >= pe.modes, pe.modes - 1, given[name]) for name in ("x_mode", "w_mode")]
    for index, value in enumerate(totals):
        chosen = (modes[0] == index // pe.modes) & (modes[1] == index % pe.modes)
        with m.If(chosen):
            m.d.comb += total.eq(value)
    return total


def _two_bits_at_a_time(pe: FusibleMac, x: Value, w: Value, x_bits: int, w_bits: int) -> Value:
    """Sum of the lanes' products, two bits of ``x`` times all of ``w`` at a time: the highest two are signed.

    The order of the additions is the PE's, so that a solver need not reassociate them.
    """
    across, pieces = pe.bits // w_bits, x_bits // 2
    rows = []
    for index in range(pe.slices):
        group, piece = divmod(index, pieces)
        products = []
        for lane in range(group * across, (group + 1) * across):
            bits = x.word_select(lane, x_bits)[2 * piece : 2 * piece + 2]
            part = bits.as_signed() if piece == pieces - 1 else bits
            products.append(part * w.word_select(lane, w_bits).as_signed())
        rows.append(_by_halves(products) << 2 * piece)
    return _by_halves(rows)


def _by_halves(values: list[Value]) -> Value:
    """The sum of the first half plus that of the second."""
    middle = len(values) // 2
    return _by_halves(values[:middle]) + _by_halves(values[middle:]) if middle else values[0]


def projection(pe: SimHashTree, m: Module, beat: Value, given: Operands, inner: Operands) -> Value:
    """Sum of the activations, each with its sign."""
    xs = [given[f"x_{lane}"] for lane in range(pe.lanes)]
    terms = [Mux(given["signs"][lane], -x, x) for lane, x in enumerate(xs)]
    return sum(terms[1:], terms[0])


def serial_cycles(pe: BitSerialMac, precision: Value) -> Value:
    """The precision that a code means."""
    return Mux(precision == 0, 1, Mux(precision > pe.x_bits, pe.x_bits, precision))


def rows(pe: BitSerialMac, base: Value, x: Value, w: Value, bits: Value) -> Value:
    """``base`` plus ``w`` times the lowest ``bits`` bits of ``x``: two's complement, row by row.

    The order of the additions is the PE's, so that a solver need not reassociate them.
    """
    total = base
    for index in range(pe.x_bits):
        row = Mux(x[index], w << index, 0)
        signed_row = Mux(bits == index + 1, -row, row)
        total = (total + Mux(bits > index, signed_row, 0))[: pe.accumulator].as_signed()
    return total


TERMS: dict[type[Accumulator], Callable[..., Value]] = {
    IntegerMac: multiply,
    ShiftPE: shift,
    ShiftAddPE: shift_or_distance,
    AdderPE: distance,
    BinaryAddPE: masked,
    TernaryAddPE: regenerated,
    FusibleMac: lanes,
    SimHashTree: projection,
}
"""The naive term of each PE that is a sum of terms."""


class Specification(Elaboratable):
    """The naive PE: operands delayed by the pipeline's depth, then one addition per beat.

    Attributes
    ----------
    ports
        Inputs, by the names of the PE's.
    results
        What the PE's results must be.
    inner
        State that no result shows at once, by the names it has in the PE.
    done, ready
        What the PE's must be. The results count only while the PE is ready.
    """

    def __init__(self, pe: Accumulator) -> None:
        self.pe = pe
        names = {"valid": 1, "first": 1, "last": 1, **{n: shapes.shape(f) for n, f in pe.operands.items()}}
        self.ports: dict[str, Any] = {
            name: Signal(shape, name=f"spec_{name}") for name, shape in names.items()
        }
        self.results = {
            name: Signal(Shape.cast(shape), name=f"spec_{name}") for name, shape in pe.results.items()
        }
        self.inner: dict[str, Signal] = {}
        if isinstance(pe, TernaryAddPE):
            self.inner["state"] = Signal(pe.lfsr_bits)
        if isinstance(pe, PredictiveSignPE):
            self.inner["predictor"] = Signal(signed(pe.predictor_bits))
            self.inner["rest_sum"] = Signal(signed(pe.accumulator))
            self.inner["held_threshold"] = Signal(pe.predictor_bits)
        if pe.restart == "last":
            self.inner["running"] = Signal(self.results["acc"].shape())
        self.busy, self.ending = Signal(range(16)), Signal()
        self.done, self.ready = Signal(name="spec_done"), Signal(name="spec_ready")

    def elaborate(self, platform: object) -> Module:
        m = Module()
        given = {name: Value.cast(port) for name, port in self.ports.items()}
        for _ in range(self.pe.stages):
            given = {name: _late(m, value) for name, value in given.items()}
        valid, first, last = given.pop("valid"), given.pop("first"), given.pop("last")
        if isinstance(self.pe, BitSerialMac):
            valid = self._occupy(m, valid, last, given["precision"])
        else:
            m.d.comb += self.ready.eq(1)
            m.d.sync += self.done.eq(valid & last)
        if isinstance(self.pe, PredictiveSignPE):
            self._predictive(m, valid, first, given)
        elif isinstance(self.pe, BitSerialMac):
            acc, cycles = self.results["acc"], serial_cycles(self.pe, given["precision"])
            base = Mux(first, 0, acc).as_signed()
            self._sum(m, valid, rows(self.pe, base, given["x"], given["w"], cycles), acc)
        else:
            term = TERMS[type(self.pe)](self.pe, m, valid, given, self.inner)
            self._accumulate(m, valid, first, last, term)
            if isinstance(self.pe, SimHashTree):
                m.d.comb += self.results["hash"].eq(~self.results["acc"][-1])
        return m

    def invariants(self, m: Module, design: Any) -> list[Value]:
        """Return what relates inner state of the design to this one; it is asserted, too, hence proved."""
        claims = []
        for name, state in self.inner.items():
            own = getattr(design, name)
            early = (
                name == "state" and self.pe.stages
            )  # the shift register is in front of the term's register
            claims.append((_late(m, own) if early else own) == state)
        if isinstance(self.pe, BitSerialMac):
            total = rows(self.pe, design.acc, design.later_x, design.later_w, design.left)
            claims += [design.left == self.busy, total == self.results["acc"]]
            claims.append((self.busy == 0) | (design.later_last == self.ending))
            for left in range(1, self.pe.x_bits):  # the weight has room for the shifts to come
                top = design.later_w[self.pe.term_bits - 1 - left :]
                claims.append((design.left != left) | top.all() | ~top.any())
        return claims

    def _occupy(self, m: Module, valid: Value, last: Value, precision: Value) -> Value:
        """Take a beat only when idle, and stay busy for its cycles; return whether a beat is taken."""
        busy, ending = self.busy, self.ending
        assert isinstance(self.pe, BitSerialMac)  # noqa: S101 (narrows the type)
        cycles = serial_cycles(self.pe, precision)
        m.d.comb += self.ready.eq(busy == 0)
        m.d.sync += self.done.eq(Mux(busy == 0, valid & last & (cycles == 1), ending & (busy == 1)))
        with m.If(busy != 0):
            m.d.sync += busy.eq(busy - 1)
        with m.Elif(valid):
            m.d.sync += [busy.eq(cycles - 1), ending.eq(last)]
        return valid & self.ready

    def _accumulate(self, m: Module, valid: Value, first: Value, last: Value, term: Value) -> None:
        acc = self.results["acc"]
        if self.pe.restart == "first":
            self._sum(m, valid, Mux(first, 0, acc) + term, acc)
            return
        before, total = self.inner["running"], Signal(acc.shape())
        m.d.comb += total.eq(self._clip(before + term, len(acc)))
        with m.If(valid):
            m.d.sync += before.eq(total)
            with m.If(last):
                m.d.sync += [before.eq(0), acc.eq(total)]

    def _sum(self, m: Module, valid: Value, exact: Value, acc: Signal) -> None:
        with m.If(valid):
            m.d.sync += acc.eq(self._clip(exact, len(acc)))

    def _clip(self, exact: Value, bits: int) -> Value:
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        return (
            Mux(exact < low, low, Mux(exact > high, high, exact)) if self.pe.overflow == "saturate" else exact
        )

    def _left_out(self, x: Value, g: Value, high: Value) -> Value:
        """What the predictor leaves of a product: by subtraction, where a solver can do it."""
        pe = self.pe
        assert isinstance(pe, PredictiveSignPE)  # noqa: S101 (narrows the type)
        if pe.x_bits + pe.g_bits <= 12:
            return x * g - high * (1 << pe.dropped)
        x_drop, g_drop = pe.x_bits - pe.x_high, pe.g_bits - pe.g_high
        return x[:x_drop] * g + x[x_drop:].as_signed() * g[:g_drop] * (1 << x_drop)

    def _predictive(self, m: Module, valid: Value, first: Value, given: Operands) -> None:
        pe = self.pe
        assert isinstance(pe, PredictiveSignPE)  # noqa: S101 (narrows the type)
        predictor, rest, limit = self.inner.values()
        x, g = given["x"], given["g"]
        high = (x // (1 << (pe.x_bits - pe.x_high))) * (g // (1 << (pe.g_bits - pe.g_high)))
        before, below = Mux(first, 0, predictor), Mux(first, 0, rest)
        second = given["rest"]
        skip = Mux(before < 0, -before, before) >= given["threshold"]
        self._sum(m, valid, Mux(second, before, before + high), predictor)
        self._sum(m, valid, Mux(second & ~skip, below + self._left_out(x, g, high), below), rest)
        with m.If(valid):
            m.d.sync += limit.eq(given["threshold"])
        sure, acc = self.results["sure"], self.results["acc"]
        full = Signal(signed(pe.accumulator))
        m.d.comb += [
            full.eq(self._clip(predictor * (1 << pe.dropped) + rest, pe.accumulator)),
            sure.eq(Mux(predictor < 0, -predictor, predictor) >= limit),
            acc.eq(Mux(sure, predictor * (1 << pe.dropped), full)),
            self.results["sign"].eq(Mux(acc > 0, 1, Mux(acc < 0, -1, 0))),
        ]


def _late(m: Module, value: Value) -> Value:
    late = Signal(value.shape())
    m.d.sync += late.eq(value)
    return late
