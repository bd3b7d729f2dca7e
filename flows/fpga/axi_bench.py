"""cocotb bench of a ZC706 netlist, run inside the simulator: the board's driver behind AXI."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.task import bridge, resume
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam

from flows.fpga.host.driver import Board, BoardError


class AxiPort:
    """The driver's port: registers through AXI4-Lite, and the memory that the accelerator reaches through AXI4."""

    def __init__(self, host: AxiLiteMaster, ram: AxiRam, base: int, unit: int) -> None:
        self.host, self.ram, self.base, self.unit = host, ram, base, unit

    def read(self, word: int, count: int) -> bytes:
        """Return ``count`` words of memory."""
        return bytes(self.ram.read(self.base + word * self.unit, count * self.unit))

    def write(self, word: int, data: bytes) -> None:
        """Store whole words."""
        self.ram.write(self.base + word * self.unit, data)

    def register(self, word: int) -> int:
        """Return a register."""
        return int(resume(self.host.read_dword)(4 * word))

    def set_register(self, word: int, value: int) -> None:
        """Write a register."""
        resume(self.host.write_dword)(4 * word, value)


@cocotb.test()
async def the_driver_computes_an_image(dut: Any) -> None:
    """Load the network, run an image, and write what came out."""
    settings = json.loads(os.environ["HWSIM_BENCH"])
    build, base = Path(settings["build"]), settings["base"]
    Clock(dut.clk, settings["period_ns"], "ns").start()
    dut.resetn.value = 0
    buses = {"reset": dut.resetn, "reset_active_level": False}
    host = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, **buses)
    ram = AxiRam(AxiBus.from_prefix(dut, "m_axi"), dut.clk, **buses, size=1 << 32)
    await ClockCycles(dut.clk, 8)
    dut.resetn.value = 1
    board = Board(AxiPort(host, ram, base, settings["unit"]), build)
    board.load((build / "memory.bin").read_bytes())
    try:
        found = await bridge(board.run)(np.load(settings["image"]))
    except BoardError as error:
        Path(settings["error"]).write_text(str(error), encoding="utf-8")
        return
    np.save(settings["result"], found)
