"""Clocks of an ECP5 board: a phase-locked loop that makes the accelerator's clock, and the SDRAM's a quarter behind."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any

from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Instance, Module, Signal
from amaranth.lib.cdc import ResetSynchronizer
from amaranth.lib.io import Buffer
from pydantic import Field, model_validator

from hwsim.files import Frozen

OSCILLATOR_MHZ = 400.0, 800.0
"""What the loop's oscillator can run at (Lattice FPGA-TN-02200)."""

COMPARED_MHZ = 3.125
"""Least frequency at which the loop compares its clocks."""

MOST = 80
"""Of the loop's multiplier and divider."""

QUARTERS = 4
"""The oscillator's periods in one of the output are a multiple, so that a quarter is a whole number of them."""


class Pll(Frozen):
    """Parameters of an EHXPLLL.

    Attributes
    ----------
    input_mhz, output_mhz
        Clock of the board, and of the accelerator.
    """

    input_mhz: Annotated[float, Field(ge=8, le=400)]
    output_mhz: Annotated[float, Field(ge=5, le=200)]

    @model_validator(mode="after")
    def _reachable(self) -> Pll:
        if self.ratio * Fraction(self.input_mhz) != Fraction(self.output_mhz):
            raise ValueError(f"output_mhz must be input_mhz times a fraction of integers up to {MOST}")
        if self.input_mhz / self.ratio.denominator < COMPARED_MHZ:
            raise ValueError(f"output_mhz must be a multiple of {COMPARED_MHZ:g} MHz or more that divides input_mhz")
        return self

    @property
    def ratio(self) -> Fraction:
        """Of the output to the input: multiplier and divider of the loop."""
        return (Fraction(self.output_mhz) / Fraction(self.input_mhz)).limit_denominator(MOST)

    @property
    def output_divider(self) -> int:
        """Periods of the oscillator in one of the output: as near the middle of its range as can be."""
        middle = sum(OSCILLATOR_MHZ) / 2
        return max(QUARTERS * round(middle / self.output_mhz / QUARTERS), QUARTERS)

    def create(self, pin: Any) -> Clocks:
        """Return the hardware, for the port of the board's clock."""
        return Clocks(self, pin)


class Clocks(Elaboratable):
    """The domains ``sync``, with a reset until the loop has locked, and ``sdram``, a quarter of a period later."""

    def __init__(self, parameters: Pll, pin: Any) -> None:
        self.parameters, self.pin = parameters, pin

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p, locked = self.parameters, Signal()
        m.submodules.pin = pin = Buffer("i", self.pin)
        m.domains.sync, m.domains.sdram = ClockDomain("sync"), ClockDomain("sdram", reset_less=True)
        divider = p.output_divider
        phase = divider // 2 - 1  # that lines the output up with the input
        m.submodules.loop = Instance(
            "EHXPLLL",
            p_CLKI_DIV=p.ratio.denominator, p_CLKFB_DIV=p.ratio.numerator, p_FEEDBK_PATH="CLKOP",
            p_CLKOP_ENABLE="ENABLED", p_CLKOP_DIV=divider, p_CLKOP_CPHASE=phase, p_CLKOP_FPHASE=0,
            p_CLKOS_ENABLE="ENABLED", p_CLKOS_DIV=divider, p_CLKOS_CPHASE=phase + divider // 4, p_CLKOS_FPHASE=0,
            i_CLKI=pin.i, i_CLKFB=ClockSignal("sync"), i_RST=0, i_STDBY=0,
            i_PHASESEL0=0, i_PHASESEL1=0, i_PHASEDIR=1, i_PHASESTEP=1, i_PHASELOADREG=1, i_PLLWAKESYNC=0, i_ENCLKOP=0,
            o_CLKOP=ClockSignal("sync"), o_CLKOS=ClockSignal("sdram"), o_LOCK=locked,
        )  # fmt: skip
        m.submodules.reset = ResetSynchronizer(~locked, domain="sync")
        return m
