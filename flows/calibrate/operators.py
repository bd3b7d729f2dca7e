"""Bare operators, without registers: what papers price, beside the whole PEs."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from amaranth.hdl import Module, Mux, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from hwsim.files import Frozen
from rtl import shapes


class Operator(Frozen):
    """``y = a (operation) b`` on integers; the result has all its bits.

    Attributes
    ----------
    operation
        ``add``, ``mult``, ``shift`` (``a`` to the left by ``b``) or ``absdiff``.
    a, b
        Formats of the operands.
    """

    operation: Literal["add", "mult", "shift", "absdiff"]
    a: str
    b: str

    @property
    def formats(self) -> dict[str, str]:
        """Format of each operand."""
        return {"a": self.a, "b": self.b}

    @property
    def coefficient(self) -> str:
        """Its key among the coefficients (``mult.int8``); empty where operands have different formats."""
        if self.operation == "shift" or self.a == self.b:
            return f"{self.operation}.{self.a}"
        return ""

    def create(self) -> wiring.Component:
        """Return the hardware, with the ports ``a``, ``b`` and ``y``."""
        return _Hardware(self)

    def compute(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        """Return ``y`` as integers, before they are cut to its bits."""
        result: NDArray[Any]
        match self.operation:
            case "add":
                result = a + b
            case "mult":
                result = a * b
            case "shift":
                result = a << b
            case _:
                result = np.abs(a - b)
        return result


class _Hardware(wiring.Component):
    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        a, b = shapes.shape(operator.a), shapes.shape(operator.b)
        bits = shapes.width(operator.a)
        width = {
            "add": bits + 1, "mult": bits + shapes.width(operator.b), "absdiff": bits,
            "shift": bits + (1 << shapes.width(operator.b)) - 1,
        }  # fmt: skip
        super().__init__({"a": In(a), "b": In(b), "y": Out(unsigned(width[operator.operation]))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        match self.operator.operation:
            case "add":
                m.d.comb += self.y.eq(self.a + self.b)
            case "mult":
                m.d.comb += self.y.eq(self.a * self.b)
            case "shift":
                m.d.comb += self.y.eq(self.a << self.b)
            case "absdiff":
                difference = self.a - self.b
                m.d.comb += self.y.eq(Mux(difference < 0, -difference, difference))
        return m


def _same(operation: Literal["add", "mult", "absdiff"], *widths: int) -> dict[str, Operator]:
    return {f"{operation}{bits}": Operator(operation=operation, a=f"int{bits}", b=f"int{bits}") for bits in widths}


OPERATORS = {
    **_same("add", 8, 16, 32),
    **_same("mult", 8, 16),
    "add8u": Operator(operation="add", a="uint8", b="uint8"),
    "mult8u": Operator(operation="mult", a="uint8", b="uint8"),
    "mult8x4": Operator(operation="mult", a="int8", b="int4"),
    "shift8": Operator(operation="shift", a="int8", b="uint3"),
    **_same("absdiff", 8),
}
"""Operators by name."""
