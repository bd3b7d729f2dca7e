"""A board with a serial line: its memory is on the chip and may hold a network from the start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Elaboratable, Module

from rtl.accelerator import Accelerator
from rtl.control.bridge import SerialAccelerator


class SerialBoard(Elaboratable):
    """A `SerialAccelerator` on the ``uart`` of a platform of amaranth-boards, which brings clock and reset.

    Parameters
    ----------
    accelerator
        The accelerator.
    memory_words
        Words of its memory.
    divisor
        Clock cycles per bit of the line.
    content
        The first words of the memory after configuration; the others are zero.
    """

    def __init__(self, accelerator: Accelerator, memory_words: int, divisor: int, content: Sequence[int] = ()) -> None:
        self.accelerator, self.memory_words, self.divisor, self.content = accelerator, memory_words, divisor, content

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        line = platform.request("uart", 0)
        m.submodules.board = unit = SerialAccelerator(self.accelerator, self.memory_words, self.divisor, self.content)
        m.d.comb += [unit.rx.eq(line.rx.i), line.tx.o.eq(unit.tx)]
        return m
