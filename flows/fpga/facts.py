"""What a host must know of a build: the register map, and where things lie in the memory."""

from __future__ import annotations

from typing import Any

from flows.compile.bundle import Layout
from flows.fpga.boards import Board
from flows.fpga.memory import Store
from flows.fpga.zynq import MEMORY_BASE
from rtl.accelerator import Accelerator
from rtl.control import registers
from rtl.control.core import COUNTERS
from rtl.control.execution import Error


def register_map(accelerator: Accelerator) -> dict[str, Any]:
    """Return the registers: address in words of 32 bits and in bytes, access, fields as ``[lowest, highest bit]``."""
    named: dict[str, tuple[int, str, dict[str, list[int]]]] = {
        "control": (registers.CONTROL, "write", {"start": [0, 0], "reset": [1, 1]}),
        "status": (registers.STATUS, "read", {"running": [0, 0], "error": [4, 7], "command": [16, 31]}),
        "program": (registers.PROGRAM, "read-write", {"word": [0, 31]}),
        "interrupt_enable": (registers.INTERRUPT_ENABLE, "read-write", {"done": [0, 0]}),
        "interrupt_pending": (registers.INTERRUPT_PENDING, "read, write 1 to clear", {"done": [0, 0]}),
    }
    for place, name in enumerate(COUNTERS if accelerator.profiling else COUNTERS[:1]):
        named[name] = (registers.FIRST_COUNTER + place, "read", {"count": [0, 31]})
    return {
        "schema": "hwsim/registers/1",
        "errors": {error.name.lower(): int(error) for error in Error},
        "registers": {
            name: {"word": word, "byte": 4 * word, "access": access, "fields": fields}
            for name, (word, access, fields) in named.items()
        },
    }


def host_facts(board: Board, accelerator: Accelerator, store: Store, layout: Layout | None) -> dict[str, Any]:
    """Return what the driver reads."""
    resident = store.resident and layout is not None
    facts: dict[str, Any] = {
        "schema": "hwsim/fpga-host/1", "board": board.name, "part": board.part, "clock_mhz": board.clock_mhz,
        "memory": {
            "kind": store.kind, "bits": accelerator.memory_bits, "words": store.words, "resident": resident,
        },
        "lanes": accelerator.lanes, "activation_bits": accelerator.activation_bits,
        "signed": accelerator.activation_shape.signed,
    }  # fmt: skip
    if board.toolchain is None:
        facts["memory"]["address"] = MEMORY_BASE
    else:
        facts |= {"baud": board.baud, "divisor": board.divisor}
    if layout is not None:
        network = layout.model_dump(mode="json", include={"program", "input", "output", "host"})
        facts |= network
    return facts
