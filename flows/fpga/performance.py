"""What the simulator says of the network on a build: cycles of an image, its time at the board's clock, its energy.

The energy is that of the same accelerator, program and clock as silicon of 45 nm: nothing is published of the energy of
these FPGAs, which take more. It serves to compare networks and configurations.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from flows.compile.bundle import Bundle
from flows.compile.price import costs
from flows.fpga.boards import Board
from flows.fpga.build import plain
from flows.fpga.memory import Store, controller
from flows.verify.accelerator import Memory
from flows.verify.accelerator_cycles import predict
from hwsim.architecture import Programmed
from hwsim.cost.priced import technology_of
from hwsim.cost.programmed import memory_key
from hwsim.cost.result import OperatorCost
from hwsim.technology import Technology, load_technology
from rtl.accelerator import Accelerator
from rtl.pe import CATALOG
from rtl.pe.element import ProcessingElement
from rtl.pe.shift_add import ShiftAddPE

LOCAL, ZYNQ = Memory(latency=2), Memory(latency=32)
"""Block memory (`rtl.control.bridge.LocalMemory`); the processing system's, whose latency at 100 MHz is assumed."""
TECHNOLOGY, SRAM = "nangate45+horowitz-45nm", "lop"


def memory(board: Board, accelerator: Accelerator, store: Store) -> Memory:
    """Return how the memory of a build behaves; refreshes of an SDRAM, a cycle in a hundred, are left out."""
    if store.kind == "sdram":
        own = controller(board, accelerator)
        return Memory(latency=own.read_latency, interval=own.beats)
    return LOCAL if store.kind == "block" else ZYNQ


def of_image(board: Board, bundle: Bundle, store: Store) -> dict[str, Any]:
    """Return cycles, microseconds and, if gates of the elements are known, energy of an image.

    The way of the image to the board and back is not in it, nor in the energy what an SDRAM makes the array wait.
    """
    cycles = predict(bundle.accelerator, bundle.commands, memory(board, bundle.accelerator, store)).cycles
    found: dict[str, Any] = {"cycles": cycles, "time_us": round(cycles / board.clock_mhz, 1)}
    circuits = _circuits(bundle)
    if circuits:
        found["energy_45nm_nj"] = _energy_nj(_priced(board, bundle, store, circuits))
    return found


def _circuits(bundle: Bundle) -> dict[str, str]:
    """Return what the elements are in the technology, by what they sum; nothing if it has no such gates."""
    pe, known = bundle.accelerator.pe, load_technology(TECHNOLOGY).circuits
    if isinstance(pe, ShiftAddPE):
        return {"shift": "shift8", "adder": "adder8"}
    alike = [name for name in known if name in CATALOG and _alike(CATALOG[name], pe)]
    return {layer.term: alike[0] for layer in bundle.layout.layers if layer.term and alike}


def _alike(one: ProcessingElement, other: ProcessingElement) -> bool:
    """Whether two elements differ at most in accumulator and stages."""
    return one.key == other.key and one.operands == other.operands


def _priced(board: Board, bundle: Bundle, store: Store, circuits: dict[str, str]) -> tuple[OperatorCost, ...]:
    accelerator = bundle.accelerator
    latency = memory(board, accelerator, store).latency
    architecture = Programmed.model_validate({
        "schema": "hwsim/architecture/1", "kind": "accelerator", "name": board.name, "title": board.title,
        "source": __doc__, "technology": TECHNOLOGY, "clock_mhz": board.clock_mhz,
        "dram_gb_per_s": accelerator.memory_bits / 8 * board.clock_mhz / 1e3, "memory_latency": latency,
        "accelerator": plain(accelerator), "circuits": circuits, "sram": SRAM,
    })  # fmt: skip
    technology = technology_of(architecture, Path())
    return costs(bundle, architecture, _on_chip(technology, bundle) if store.kind == "block" else technology)


def _on_chip(technology: Technology, bundle: Bundle) -> Technology:
    """Return the technology where the external memory is an SRAM."""
    bits = bundle.accelerator.memory_bits
    key, _ = memory_key(len(bundle.content) * 8 // bits, bits)
    word = technology.coefficient(f"{key}.read.{SRAM}")
    return technology.model_copy(update={"coefficients": {**technology.coefficients, "dram": word}})


def _energy_nj(priced: tuple[OperatorCost, ...]) -> dict[str, float]:
    """Return nanojoules by component, and of all."""
    parts = defaultdict[str, float](float)
    for cost in priced:
        for charge in cost.charges:
            parts["memory" if charge.component == "dram" else charge.component] += charge.energy_pj / 1e3
    return {name: round(nj, 3) for name, nj in {**parts, "total": sum(parts.values())}.items()}
