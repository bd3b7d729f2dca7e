"""What the simulator says of the network on a build: cycles of an image and the time at the board's clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flows.compile.bundle import Bundle
from flows.fpga.boards import Board
from flows.fpga.memory import Store, controller
from flows.verify.accelerator import Memory
from flows.verify.accelerator_cycles import predict
from rtl.accelerator import Accelerator
from rtl.control import Command, Halt, decode

LOCAL = Memory(latency=2)
"""The memory on the chip (`rtl.control.bridge.LocalMemory`)."""


def memory(board: Board, accelerator: Accelerator, store: Store) -> Memory:
    """Return how the memory of a build behaves; refreshes, a cycle in a hundred, are left out."""
    if store.kind != "sdram":
        return LOCAL
    own = controller(board, accelerator)
    return Memory(latency=own.read_latency, interval=own.beats)


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


def of_image(board: Board, bundle: Bundle, store: Store) -> dict[str, Any]:
    """Return cycles and microseconds of an image, without its way over the serial line, and that way's own time."""
    accelerator = bundle.accelerator
    cycles = predict(accelerator, program(bundle), memory(board, accelerator, store)).cycles
    return {"cycles": cycles, "time_us": round(cycles / board.clock_mhz, 1)}
