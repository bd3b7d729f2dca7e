"""Serial line: bytes with a start and a stop bit, no parity."""

from __future__ import annotations

from typing import Annotated

from amaranth.hdl import C, Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from pydantic import Field

from hwsim.files import Frozen


class Uart(Frozen):
    """``divisor``: cycles per bit."""

    divisor: Annotated[int, Field(ge=2, le=1 << 16)] = 25

    def create(self) -> UartUnit:
        """Return the hardware."""
        return UartUnit(self)


class UartUnit(wiring.Component):
    """Hardware of a `Uart`.

    ==============  ===  ==================================================================
    ``rx``, ``tx``  ...  the line; one when idle
    ``received``    out  stream of bytes, each valid for one cycle: it must be taken then
    ``sent``        in   stream of bytes
    ==============  ===  ==================================================================
    """

    def __init__(self, parameters: Uart) -> None:
        self.parameters = parameters
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "received": Out(stream.Signature(8, always_ready=True)),
                "sent": In(stream.Signature(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._receive(m)
        self._send(m)
        return m

    def _receive(self, m: Module) -> None:
        """Sample each bit in its middle, from the falling edge of the start bit on."""
        divisor = self.parameters.divisor
        line, bits, wait, code = Signal(2, init=3), Signal(range(10)), Signal(range(2 * divisor)), Signal(8)
        m.d.comb += self.received.payload.eq(code)
        m.d.sync += [line.eq(Cat(self.rx, line)), self.received.valid.eq(0)]
        with m.If(bits == 0), m.If(~line[1]):
            m.d.sync += [bits.eq(9), wait.eq(divisor + divisor // 2 - 1)]
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Else():
            m.d.sync += [bits.eq(bits - 1), wait.eq(divisor - 1)]
            with m.If(bits != 1):  # the last one is the stop bit
                m.d.sync += [code.eq(Cat(code[1:], line[1])), self.received.valid.eq(bits == 2)]

    def _send(self, m: Module) -> None:
        divisor = self.parameters.divisor
        bits, wait, code = Signal(range(11)), Signal(range(divisor)), Signal(10, init=-1)
        m.d.comb += [self.sent.ready.eq(bits == 0), self.tx.eq(code[0])]
        with m.If(bits == 0), m.If(self.sent.valid):
            m.d.sync += [code.eq(Cat(C(0, 1), self.sent.payload, C(1, 1))), bits.eq(10), wait.eq(divisor - 1)]
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Else():
            m.d.sync += [code.eq(Cat(code[1:], C(1, 1))), bits.eq(bits - 1), wait.eq(divisor - 1)]
