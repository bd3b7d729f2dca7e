"""A synchronous DRAM chip (SDR) of 16 bits: its size, its rules of time, and its commands."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Annotated, Literal

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from pydantic import Field

from hwsim.files import Frozen

Nanoseconds = Annotated[float, Field(gt=0)]

DATA_BITS = 16
BANK_BITS = 2

PADS_NS = 6.0
"""Of the FPGA: what an output's and an input's pad may add to the access time, registers included."""


class Order(IntEnum):
    """Commands, as the levels of (``ras``, ``cas``, ``we``), all active high, ``ras`` the highest bit."""

    NOTHING = 0b000
    WRITE = 0b011
    READ = 0b010
    ACTIVATE = 0b100
    PRECHARGE = 0b101
    REFRESH = 0b110
    MODE = 0b111


class Sdram(Frozen):
    """A chip. The defaults are the slowest of the 32 MB chips on the ULX3S (IS42S16160G-7, AS4C32M16SB-7, W9825G6KH-6).

    Attributes
    ----------
    row_bits, column_bits
        Of an address in one of the four banks.
    cas_latency
        Cycles from a read to its first data.
    power_up_us
        From a stable clock to the first command.
    refresh_ms
        In which each row must be refreshed once.
    activate_ns
        tRCD: from opening a row to its first read or write.
    precharge_ns
        tRP: from closing a row to opening the next.
    open_ns
        tRAS: from opening a row to closing it.
    refresh_ns
        tRFC, at least tRC: from a refresh to the next command.
    write_ns
        tWR: from the last word written to closing the row.
    access_ns
        tAC: from a clock edge to the data that it brings.
    mode_cycles
        tMRD: from setting the mode to the next command.
    """

    row_bits: Annotated[int, Field(ge=11, le=13)] = 13
    column_bits: Annotated[int, Field(ge=8, le=10)] = 9
    cas_latency: Literal[2, 3] = 2
    power_up_us: Nanoseconds = 200.0
    refresh_ms: Nanoseconds = 64.0
    activate_ns: Nanoseconds = 21.0
    precharge_ns: Nanoseconds = 21.0
    open_ns: Nanoseconds = 45.0
    refresh_ns: Nanoseconds = 70.0
    write_ns: Nanoseconds = 20.0
    access_ns: Nanoseconds = 6.0
    mode_cycles: Annotated[int, Field(ge=1, le=4)] = 2

    @property
    def address_bits(self) -> int:
        """Bits that number the words of 16 bits: row, bank, column, the highest first."""
        return self.row_bits + BANK_BITS + self.column_bits

    @property
    def bytes(self) -> int:
        """What it holds."""
        return DATA_BITS // 8 << self.address_bits

    def mode(self, burst: int) -> int:
        """Return the mode register for reads and writes of ``burst`` consecutive words."""
        return self.cas_latency << 4 | int(math.log2(burst))


class SdramPins(wiring.Signature):
    """Levels at a chip's pins, active high, as a controller drives them; chip select and clock enable stay on.

    ===============================  ===  ==================================================================
    ``order``                        out  `Order`
    ``bank``, ``address``            out  of the command
    ``mask``                         out  no data: while the chip powers up
    ``write_data``, ``write_enable`` out  data to the chip
    ``read_data``                    in   data from the chip
    ===============================  ===  ==================================================================
    """

    def __init__(self, chip: Sdram) -> None:
        super().__init__(
            {
                "order": Out(3),
                "bank": Out(BANK_BITS),
                "address": Out(chip.row_bits),
                "mask": Out(1),
                "write_data": Out(DATA_BITS),
                "write_enable": Out(1),
                "read_data": In(DATA_BITS),
            }
        )
