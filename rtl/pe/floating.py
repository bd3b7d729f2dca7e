"""Floating-point multiply-accumulate: a fused multiply-add with an fp32 accumulator."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, ShapeLike, Signal, Value, signed, unsigned
from numpy.typing import NDArray

from hwsim import formats
from hwsim.formats.floats import LAYOUTS, FloatLayout
from rtl.pe.component import Beat, Element
from rtl.pe.element import ProcessingElement

FP32 = LAYOUTS["fp32"]
NAN = FP32.nan_code


class FloatMac(ProcessingElement):
    """``acc = round(x * w + acc)``: the product is exact, the sum is rounded once, to nearest, ties to even.

    Subnormal numbers are numbers, everywhere. Overflow gives infinity. A NaN operand, ``0 * inf`` and ``inf -
    inf`` give the canonical NaN 0x7fc00000, which stays until the sum restarts. An exact zero is +0 unless
    product and accumulator are both -0. A sum starts from +0.

    Latency: ``1 + stages`` cycles. Throughput: one product per cycle.

    Attributes
    ----------
    form
        Format of both operands.
    """

    key: ClassVar[str] = "float_mac"

    form: Literal["fp32", "bf16", "fp16", "fp8_e4m3", "fp8_e5m2"] = "bf16"

    @property
    def operands(self) -> dict[str, str]:
        return {"x": self.form, "w": self.form}

    @property
    def results(self) -> dict[str, ShapeLike]:
        return {"acc": unsigned(32)}

    def run(self, starts: NDArray[Any], operands: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        with np.errstate(invalid="ignore"):  # 0 * inf is a case like any other
            products = formats.decode(operands["x"], self.form) * formats.decode(operands["w"], self.form)
        sums, total = [], 0.0
        with np.errstate(over="ignore"):
            for product, start in zip(products.tolist(), starts.tolist(), strict=True):
                total = float(np.float32(_sum_to_odd(product, 0.0 if start else total)))
                sums.append(total)
        codes = formats.encode(np.asarray(sums), "fp32").astype(np.int64)
        return {"acc": np.where(np.isnan(sums), NAN, codes)}

    def create(self) -> Element:
        return FloatElement(self)


def _sum_to_odd(a: float, b: float) -> float:
    """``a + b`` in double precision, rounded to odd: rounding that again to fp32 rounds the exact sum."""
    total = a + b
    if math.isnan(total) or math.isinf(total):
        return total
    back = total - a
    lost = (a - (total - back)) + (b - back)
    odd = math.frexp(total)[0] * 2**53 % 2 == 1
    return total if lost == 0 or odd else math.nextafter(total, math.copysign(math.inf, lost))


class _Product(NamedTuple):
    """An exact product: ``significand * 2**exponent``; not normalised."""

    sign: Value
    significand: Value
    exponent: Value
    nan: Value
    infinite: Value


class _Number(NamedTuple):
    sign: Value
    significand: Value
    exponent: Value  # of the significand's lowest bit
    nan: Value
    infinite: Value


class FloatElement(Element):
    """Hardware of a `FloatMac`."""

    parameters: FloatMac

    def term(self, m: Module, beat: Beat, operands: dict[str, Value]) -> _Product:
        layout = LAYOUTS[self.parameters.form]
        x, w = (_unpack(m, Value.cast(operands[name]), layout) for name in ("x", "w"))
        significand = Signal(2 * layout.mantissa + 2)
        zero = Signal()
        m.d.comb += [
            significand.eq(x.significand * w.significand),
            zero.eq((x.significand == 0) | (w.significand == 0)),
        ]
        infinite = (x.infinite | w.infinite) & ~x.nan & ~w.nan
        nan = x.nan | w.nan | (infinite & zero)
        return _Product(x.sign ^ w.sign, significand, x.exponent + w.exponent, nan, infinite)

    def sum(self, m: Module, base: Value, term: _Product) -> Value:
        acc = _unpack(m, base, FP32)
        window = _Window(len(term.significand))
        wide, lowest = window.align(m, acc, term)
        result = Signal(32)
        rounded = window.round(m, wide, lowest, acc.sign, acc.sign & term.sign)
        nan = acc.nan | term.nan | (acc.infinite & term.infinite & (acc.sign ^ term.sign))
        infinity = FP32.largest_code + 1
        with m.If(nan):
            m.d.comb += result.eq(NAN)
        with m.Elif(term.infinite):
            m.d.comb += result.eq(Cat(Const(infinity, 31), term.sign))
        with m.Elif(acc.infinite):
            m.d.comb += result.eq(Cat(Const(infinity, 31), acc.sign))
        with m.Else():
            m.d.comb += result.eq(rounded)
        return result


def _unpack(m: Module, code: Value, layout: FloatLayout) -> _Number:
    mantissa, field = code[: layout.mantissa], code[layout.mantissa : layout.bits - 1]
    normal, top = field.any(), field.all()
    significand = Signal(layout.mantissa + 1)
    exponent = Signal(signed(layout.exponent + 3))
    m.d.comb += [
        significand.eq(Cat(mantissa, normal)),
        exponent.eq(Mux(normal, field, 1) - (layout.bias + layout.mantissa)),
    ]
    nan = top & (mantissa.all() if layout.specials == "nan" else mantissa.any())
    infinite = top & ~mantissa.any() if layout.specials == "ieee" else Const(0, 1)
    return _Number(code[-1], significand, exponent, nan, infinite)


class _Window:
    """The bits in which product and accumulator meet.

    From below: `_BELOW` bits in which a small accumulator may lie, the product, three bits of gap, and the
    accumulator at its highest. A larger accumulator stays there and the product is only a hint for rounding;
    what of a smaller one falls out below is kept as the lowest bit ("sticky").
    """

    _BELOW = 26  # fp32's 24 bits, one lost by a subtraction, one to round with

    def __init__(self, product_bits: int) -> None:
        self.highest = product_bits + 3
        self.bits = self._BELOW + self.highest + 24

    def align(self, m: Module, acc: _Number, term: _Product) -> tuple[Value, Value]:
        """Return the sum, positive where it has the accumulator's sign, and the weight of its lowest bit."""
        limit = self.highest + self._BELOW + 24
        apart, right = Signal(signed(12)), Signal(range(limit + 1))
        lowest = Signal(signed(12))
        small = Signal()  # the product: at most a hint
        down = self.highest - apart
        m.d.comb += [
            apart.eq(acc.exponent - term.exponent),
            small.eq((apart > self.highest) | (term.significand == 0)),
            right.eq(Mux(small, 0, Mux(down > limit, limit, down))),
            lowest.eq(Mux(small, acc.exponent - self.highest, term.exponent) - self._BELOW),
        ]
        moved = Signal(self.bits + 24)
        m.d.comb += moved.eq(Cat(Const(0, self.bits), acc.significand) >> right)
        addend = Signal(self.bits)
        m.d.comb += addend.eq(Cat(moved[24] | moved[:24].any(), moved[25:]))
        product = Cat(Const(0, self._BELOW), term.significand)
        total = Signal(signed(self.bits + 2))
        differ = acc.sign ^ term.sign
        m.d.comb += total.eq(Mux(differ, addend - product, addend + product))
        return total, lowest

    def round(self, m: Module, total: Value, lowest: Value, sign: Value, zero_sign: Value) -> Value:
        """Return the fp32 code nearest to ``total * 2**lowest``, whose sign counts against ``sign``."""
        top = self.bits  # index of the highest bit of the magnitude
        magnitude, left = Signal(self.bits + 1), Signal(range(self.bits + 2))
        room, shift = Signal(signed(12)), Signal(range(self.bits + 2))
        m.d.comb += [
            magnitude.eq(Mux(total < 0, -total, total)),
            left.eq(_leading_zeros(m, magnitude)),
            room.eq(lowest + top + 126),  # a longer shift would pass the smallest exponent
            shift.eq(Mux(left > room, room, left)),
        ]
        normal = Signal(self.bits + 1)
        m.d.comb += normal.eq(magnitude << shift)
        kept, half, rest = normal[top - 23 :], normal[top - 24], normal[: top - 24].any()
        field, body = Signal(10), Signal(34)
        m.d.comb += [
            field.eq(Mux(normal[top], lowest + top + 127 - shift, 0)),
            body.eq(Cat(kept[:23], field) + (half & (rest | kept[0]))),
        ]
        beyond = body > FP32.largest_code
        rounded = Mux(beyond, FP32.largest_code + 1, body)[:31]
        return Cat(rounded, Mux(magnitude.any(), sign ^ (total < 0), zero_sign))


def _leading_zeros(m: Module, value: Value) -> Value:
    """Count the zeros above the highest one by halves."""
    bits = len(value)
    if bits == 1:
        return ~value
    half = 1 << ((bits - 1).bit_length() - 1)
    wide = Cat(Const(0, 2 * half - bits), value)  # zeros below count only where the value is zero
    high = wide[half:]
    count = Signal(range(2 * half + 1))
    below = Signal(half)
    m.d.comb += below.eq(wide[:half])
    m.d.comb += count.eq(Mux(high.any(), _leading_zeros(m, high), half + _leading_zeros(m, below)))
    return count
