"""cocotb bench of the serial bridge, run inside the simulator: a host that fills the memory and starts a program."""

import json
import os
import struct
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge

from rtl.control.bridge import ACKNOWLEDGE
from rtl.control.registers import CONTROL, FIRST_COUNTER, PROGRAM, STATUS


class Line:
    """The host's end of the serial line."""

    def __init__(self, dut, divisor):
        self.dut, self.divisor = dut, divisor

    async def send(self, data):
        for byte in data:
            for place in range(10):
                self.dut.rx.value = (byte | 0x100) << 1 >> place & 1
                await ClockCycles(self.dut.clk, self.divisor)

    async def receive(self, count):
        data = []
        for _ in range(count):
            await FallingEdge(self.dut.tx)
            await ClockCycles(self.dut.clk, self.divisor // 2)
            code = 0
            for place in range(8):
                await ClockCycles(self.dut.clk, self.divisor)
                code |= int(self.dut.tx.value) << place
            data.append(code)
        return bytes(data)

    async def read(self, code, address, words):
        answer = cocotb.start_soon(self.receive(4 * words))
        await self.send(struct.pack("<BIH", code, address, words))
        return await answer

    async def write(self, code, address, data):
        answer = cocotb.start_soon(self.receive(1))
        await self.send(struct.pack("<BIH", code, address, len(data) // 4) + data)
        assert (await answer)[0] == ACKNOWLEDGE


@cocotb.test()
async def a_program_runs_from_a_serial_line(dut):
    settings = json.loads(os.environ["HWSIM_BENCH"])
    image = Path(settings["image"]).read_bytes()
    cocotb.start_soon(Clock(dut.clk, settings.get("period_ns", 10), "ns").start())
    dut.rx.value = 1
    dut.rst.value = 1
    await ClockCycles(dut.clk, 3)
    dut.rst.value = 0
    line = Line(dut, settings["divisor"])
    await line.write(1, 0, image)
    await line.write(3, PROGRAM, struct.pack("<I", settings["program"]))
    await line.write(3, CONTROL, struct.pack("<I", 1))
    while struct.unpack("<I", await line.read(2, STATUS, 1))[0] & 1:
        pass
    status, = struct.unpack("<I", await line.read(2, STATUS, 1))
    cycles, = struct.unpack("<I", await line.read(2, FIRST_COUNTER, 1))
    Path(settings["result"]).write_bytes(await line.read(0, 0, len(image) // 4))
    Path(settings["report"]).write_text(json.dumps({"status": status, "cycles": cycles}))
