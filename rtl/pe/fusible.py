"""Fusible multiply-accumulate: 2-bit bricks that join into wider multipliers at run time (BitFusion)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from numpy.typing import NDArray

from rtl.pe.component import Beat, Element, Term, extend, spread
from rtl.pe.element import Accumulator
from rtl.pe.simhash import tree

WORD = 32
"""Widest port of a bus: what every simulator and every twin holds in an integer."""


class FusibleMac(Accumulator):
    """``acc += sum over lanes of x_l * w_l`` on signed integers of 2, 4, ... ``bits`` bits, chosen per beat.

    ``x_mode`` and ``w_mode`` are the logarithms: an operand has ``2 << mode`` bits, at most ``bits``. Lane
    ``l`` of ``x`` lies at bit ``l * (2 << x_mode)`` of the bus ``x``, and likewise for ``w``; a bus of more than
    32 bits is split into ports ``x_0``, ``x_1``, ... of 32, the lowest lanes first. ``(bits / 2)**2`` bricks
    multiply 2 x 2 bits each; an operand pair takes as many of them as it needs.

    Term: ``2 * bits`` bits. Latency: ``1 + stages`` cycles. Throughput:
    ``(bits / x width) * (bits / w width)`` products per cycle.

    Attributes
    ----------
    bits
        The widest operand: 4, 8 or 16.
    """

    key: ClassVar[str] = "fusible"

    bits: Literal[4, 8, 16] = 8

    @property
    def slices(self) -> int:
        """Two-bit slices of the widest operand."""
        return self.bits // 2

    @property
    def modes(self) -> int:
        """How many widths an operand can have."""
        return self.bits.bit_length() - 1

    @property
    def operands(self) -> dict[str, str]:
        word, mode = f"uint{min(self.bus_bits, WORD)}", f"uint{(self.modes - 1).bit_length()}"
        ports = zip(self.bus("x"), self.bus("w"), strict=True)
        return {**{port: word for pair in ports for port in pair}, "x_mode": mode, "w_mode": mode}

    @property
    def bus_bits(self) -> int:
        """Bits of one operand of all lanes."""
        return self.slices * self.bits

    def bus(self, operand: str) -> list[str]:
        """Return the ports of bus ``x`` or ``w``, the lowest bits first."""
        words = self.bus_bits // WORD
        return [operand] if words <= 1 else [f"{operand}_{word}" for word in range(words)]

    @property
    def term_bits(self) -> int:
        return 2 * self.bits

    def mode_bits(self, mode: NDArray[Any]) -> NDArray[Any]:
        """Return the operand width that a mode code chooses."""
        return np.asarray(np.int64(2) << np.minimum(mode.astype(np.int64), self.modes - 1))

    def products(self, **operands: NDArray[Any]) -> NDArray[Any]:
        x_lanes, w_lanes = (self.bits // self.mode_bits(operands[name]) for name in ("x_mode", "w_mode"))
        return np.asarray(x_lanes * w_lanes)

    def terms(self, **operands: NDArray[Any]) -> NDArray[Any]:
        x_bits, w_bits = self.mode_bits(operands["x_mode"]), self.mode_bits(operands["w_mode"])
        lanes = self.products(**operands)
        xs, ws = (np.stack([operands[port] for port in self.bus(name)], axis=1) for name in ("x", "w"))
        total = np.zeros(len(lanes), np.int64)
        for lane in range(self.slices**2):
            product = _lane(xs, x_bits, lane) * _lane(ws, w_bits, lane)
            total += np.where(lane < lanes, product, 0)
        return total

    def create(self) -> Element:
        return _FusibleMac(self)


class _FusibleMac(Element):
    parameters: FusibleMac

    def term(self, m: Module, beat: Beat, operands: dict[str, Value]) -> Term:
        pe = self.parameters
        x_mode, w_mode = (self._mode(m, operands[name]) for name in ("x_mode", "w_mode"))
        x, w = (Cat(operands[port] for port in pe.bus(name)) for name in ("x", "w"))
        rows = []
        pairs = Signal(pe.modes**2)
        m.d.comb += pairs.eq(Cat(a & b for a in x_mode for b in w_mode))
        for i in range(pe.slices):
            bricks = [self._brick(m, x, w, pairs, w_mode, i, j) for j in range(pe.slices)]
            row = extend(m, tree(bricks), pe.term_bits)
            rows.append(_choose(x_mode, [row << 2 * (i % (1 << mode)) for mode in range(pe.modes)]))
        total = Signal(signed(pe.term_bits))
        m.d.comb += total.eq(tree(rows))
        return Term(total)

    def _mode(self, m: Module, code: Value) -> Value:
        """The mode as one bit per width; codes beyond the last mean the last."""
        chosen = Signal(self.parameters.modes)
        for mode in range(self.parameters.modes):
            last = mode == self.parameters.modes - 1
            m.d.comb += chosen[mode].eq(code >= mode if last else code == mode)
        return chosen

    def _brick(self, m: Module, x_bus: Value, w_bus: Value, pairs: Value, w_mode: Value, i: int, j: int) -> Value:
        """The product of two slices, shifted to its place among the slices of the weight."""
        pe = self.parameters
        xs, ws = [], []
        for x_slices in (1 << mode for mode in range(pe.modes)):
            for w_slices in (1 << mode for mode in range(pe.modes)):
                lane = i // x_slices * (pe.slices // w_slices) + j // w_slices
                xs.append(_slice(x_bus, lane, x_slices, i % x_slices))
                ws.append(_slice(w_bus, lane, w_slices, j % w_slices))
        x, w = Signal(signed(3)), Signal(signed(3))
        m.d.comb += [x.eq(_choose(pairs, xs)), w.eq(_choose(pairs, ws))]
        product = _multiply(m, x, w)
        return _choose(w_mode, [product << 2 * (j % (1 << mode)) for mode in range(pe.modes)])


def _slice(bus: Value, lane: int, slices: int, index: int) -> Value:
    """Two bits of an operand as a number of three: signed at its top, unsigned below."""
    low = 2 * (lane * slices + index)
    top = bus[low + 1] & int(index == slices - 1)
    return Cat(bus[low : low + 2], top).as_signed()


def _multiply(m: Module, x: Value, w: Value) -> Value:
    """``x * w`` of two numbers from -2 to 3, as gates: a function of six bits is LUTs, a ``*`` would be a DSP."""
    rows = [extend(m, x, 5) & spread(bit, 5) for bit in w]
    upper = _ripple(m, rows[0], rows[1] << 1, 0)
    return _ripple(m, upper, ~(rows[2] << 2), 1)


def _ripple(m: Module, a: Value, b: Value, carry: int) -> Value:
    """``a + b + carry`` in five bits, as gates."""
    total, carries = Signal(signed(5)), Signal(6)
    m.d.comb += carries[0].eq(carry)
    for one, other, low, high, bit in zip(a[:5], b[:5], carries[:5], carries[1:], total, strict=True):
        m.d.comb += [bit.eq(one ^ other ^ low), high.eq((one & other) | (low & (one ^ other)))]
    return total


def _choose(one_hot: Value, values: list[Value]) -> Value:
    """Return the value whose bit is set; the last one if none is."""
    chosen = values[-1]
    for index in reversed(range(len(values) - 1)):
        chosen = Mux(one_hot[index], values[index], chosen)
    return chosen


def _lane(words: NDArray[Any], bits: NDArray[Any], lane: int) -> NDArray[Any]:
    """The signed number of ``bits`` bits in lane ``lane`` of a bus of shape ``(beats, words)``; any beyond it."""
    index, offset = np.divmod(bits * lane, WORD)
    word = words[np.arange(len(words)), np.minimum(index, words.shape[1] - 1)]
    field = (word.astype(np.int64) >> offset) & ((np.int64(1) << bits) - 1)
    return np.asarray(field - ((field >> (bits - 1)) << bits))
