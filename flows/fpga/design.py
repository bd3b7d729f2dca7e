"""From an accelerator to the Verilog of a board's top and its constraints."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from flows.fpga.boards import Board
from flows.fpga.memory import Store
from rtl.accelerator import Accelerator
from rtl.boards import SerialBoard


def words(content: NDArray[np.uint8], bits: int) -> list[int]:
    """Return the words of ``bits`` bits in bytes, the lowest byte first."""
    size = bits // 8
    data = bytes(content)
    return [int.from_bytes(data[at : at + size], "little") for at in range(0, len(data), size)]


def serial(board: Board, accelerator: Accelerator, store: Store, content: NDArray[np.uint8]) -> dict[str, str]:
    """Return ``top.v`` and the constraints of a board with a serial line, by name of the file.

    Pins, clock and power-on reset come from the board's platform in amaranth-boards.
    """
    memory = store.create(board, accelerator, words(content, accelerator.memory_bits))
    top = SerialBoard(accelerator, memory, board.divisor, board.pll)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # amaranth-boards uses names that amaranth 0.6 drops
        plan = board.platform().prepare(top, "top", debug_verilog=True, emit_src=False)
    suffix = board.open_tools.constraints.removeprefix("--")
    constraints = plan.files[f"top.{suffix}"]
    return {"top.v": plan.files["top.debug.v"], f"top.{suffix}": constraints}
