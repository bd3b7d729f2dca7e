"""What the simulator says of the network on a build: cycles of an image and the time at the board's clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flows.compile.bundle import Bundle
from flows.fpga.boards import Board
from flows.verify.accelerator import Memory
from flows.verify.accelerator_cycles import predict
from rtl.control import Command, Halt, decode

LOCAL = Memory(latency=2)
"""The memory on the chip (`rtl.control.bridge.LocalMemory`)."""


def program(bundle: Bundle) -> Iterator[Command]:
    """Give the commands of the program in a memory."""
    accelerator = bundle.accelerator
    size = accelerator.command_words * accelerator.memory_bits // 8
    first = bundle.layout.program * accelerator.memory_bits // 8
    while True:
        command = decode(int.from_bytes(bundle.content[first : first + size].tobytes(), "little"))
        yield command
        if isinstance(command, Halt):
            return
        first += size


def of_image(board: Board, bundle: Bundle) -> dict[str, Any]:
    """Return cycles and microseconds of an image, without its way over the serial line, and that way's own time."""
    cycles = predict(bundle.accelerator, program(bundle), LOCAL).cycles
    return {"cycles": cycles, "time_us": round(cycles / board.clock_mhz, 1)}
