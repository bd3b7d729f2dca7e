"""cocotb bench of the host ports, run inside the simulator: registers by AXI4-Lite, the memory behind AXI4."""

import json
import os
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam

from rtl.control.registers import (
    CONTROL,
    FIRST_COUNTER,
    INTERRUPT_ENABLE,
    INTERRUPT_PENDING,
    PROGRAM,
    STATUS,
)  # fmt: skip


def pauses(seed, share):
    """Cycles in which a channel waits."""
    generator = random.Random(seed)
    while True:
        yield generator.random() < share


@cocotb.test()
async def programs_run_from_the_host(dut):
    settings = json.loads(os.environ["HWSIM_BENCH"])
    image, base = Path(settings["image"]).read_bytes(), settings["base"]
    cocotb.start_soon(Clock(dut.clk, 10, "ns").start())
    dut.rst.value = 1
    dut.m_base.value = base
    host = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
    ram = AxiRam(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, size=1 << 20)
    for seed, channel in enumerate(
        (ram.write_if.aw_channel, ram.write_if.w_channel, ram.write_if.b_channel, ram.read_if.ar_channel,
         ram.read_if.r_channel, host.write_if.b_channel, host.read_if.r_channel)
    ):  # fmt: skip
        channel.set_pause_generator(pauses(seed, settings["pauses"]))
    ram.write(base, image)
    await ClockCycles(dut.clk, 3)
    dut.rst.value = 0
    await host.write_dword(4 * PROGRAM, settings["program"])
    assert await host.read_dword(4 * PROGRAM) == settings["program"]
    await host.write_dword(4 * INTERRUPT_ENABLE, 1)
    await host.write_dword(4 * CONTROL, 1)
    await ClockCycles(dut.clk, settings["reset_after"])
    assert await host.read_dword(4 * STATUS) & 1
    await host.write_dword(4 * CONTROL, 2)  # in the middle of something
    await ClockCycles(dut.clk, 2)
    assert not await host.read_dword(4 * STATUS) & 1
    await host.write_dword(4 * CONTROL, 1)
    await with_timeout(RisingEdge(dut.interrupt), 2, "ms")
    assert await host.read_dword(4 * INTERRUPT_PENDING) == 1
    await host.write_dword(4 * INTERRUPT_PENDING, 1)
    status = await host.read_dword(4 * STATUS)
    Path(settings["result"]).write_bytes(ram.read(base, len(image)))
    report = {"status": status, "interrupt": int(dut.interrupt.value), "beats": await host.read_dword(4 * (FIRST_COUNTER + 1))}
    Path(settings["report"]).write_text(json.dumps(report))
