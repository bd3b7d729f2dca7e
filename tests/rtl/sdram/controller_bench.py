"""cocotb bench of the SDRAM controller, run inside the simulator: bursts at random against a dictionary."""

import json
import os
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from cocotb.utils import get_sim_time


class Client:
    """The port's client, which is not ready in some cycles at random."""

    def __init__(self, dut, settings):
        self.dut, self.random, self.patience = dut, random.Random(1), settings["patience"]

    async def cycle(self):
        await RisingEdge(self.dut.clk)

    async def request(self, write, address, count):
        dut = self.dut
        dut.memory__request__payload.value = address | count << 32 | write << 41
        dut.memory__request__valid.value = 1
        await self.cycle()
        while not int(dut.memory__request__ready.value):
            await self.cycle()
        dut.memory__request__valid.value = 0

    async def read(self, address, count, taken=None):
        await self.request(0, address, count)
        dut, words = self.dut, []
        while len(words) < (count if taken is None else taken):
            dut.memory__read__ready.value = self.random.random() < self.patience
            await self.cycle()
            if int(dut.memory__read__valid.value) and int(dut.memory__read__ready.value):
                words.append(int(dut.memory__read__payload.value))
        dut.memory__read__ready.value = 0
        return words

    async def write(self, address, words, given=None):
        dut = self.dut
        await self.request(1, address, len(words))
        for word in words[:given]:
            while self.random.random() > self.patience:
                await self.cycle()
            dut.memory__write__valid.value, dut.memory__write__payload.value = 1, word
            await self.cycle()
            while not int(dut.memory__write__ready.value):
                await self.cycle()
            dut.memory__write__valid.value = 0
        while given is None and not int(dut.memory__written.value):
            await self.cycle()

    async def flush(self):
        self.dut.flush.value = 1
        await self.cycle()
        self.dut.flush.value = 0


@cocotb.test()
async def memory_is_a_dictionary(dut):
    """Bursts ``[write, address, words, how many pass before a reset]``; the last is None without one."""
    settings = json.loads(os.environ["HWSIM_BENCH"])
    client, held = Client(dut, settings), {}
    for name in ("flush", "memory__request__valid", "memory__read__ready", "memory__write__valid"):
        getattr(dut, name).value = 0
    cocotb.start_soon(Clock(dut.clk, settings["period_ps"], "ps").start())
    dut.rst.value = 1
    await client.cycle()
    await client.cycle()
    dut.rst.value = 0
    report = {"cycles": [], "wrong": 0}
    for write, address, words, passed in settings["bursts"]:
        start = get_sim_time("ps")
        if write:
            await client.write(address, words, passed)
            held |= dict(enumerate(words[:passed], address))
        else:
            got = await client.read(address, words, passed)
            report["wrong"] += got != [held[place] for place in range(address, address + len(got))]
        if passed is not None:
            await client.flush()
        report["cycles"].append(round((get_sim_time("ps") - start) / settings["period_ps"]))
    Path(settings["report"]).write_text(json.dumps(report))
