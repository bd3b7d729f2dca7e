"""cocotb bench of the SDRAM controller, run inside the simulator: bursts at random against a dictionary."""

import json
import os
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge


class Client:
    """The port's client, whose words wait for each other at random."""

    def __init__(self, dut, settings):
        self.dut, self.random = dut, random.Random(settings["seed"])
        self.patience = settings["patience"]

    async def cycle(self):
        await RisingEdge(self.dut.clk)

    async def request(self, write, address, count):
        dut = self.dut
        dut.request_valid.value, dut.request_write.value = 1, write
        dut.request_address.value, dut.request_count.value = address, count
        await self.cycle()
        while not int(dut.request_ready.value):
            await self.cycle()
        dut.request_valid.value = 0

    async def read(self, address, count):
        await self.request(0, address, count)
        words = []
        while len(words) < count:
            self.dut.read_ready.value = self.random.random() < self.patience
            await self.cycle()
            if int(self.dut.read_valid.value) and int(self.dut.read_ready.value):
                words.append(int(self.dut.read_payload.value))
        self.dut.read_ready.value = 0
        return words

    async def write(self, address, words):
        await self.request(1, address, len(words))
        given = 0
        while given < len(words):
            offers = int(self.random.random() < self.patience)
            self.dut.write_valid.value, self.dut.write_payload.value = offers, words[given]
            await self.cycle()
            while offers and not int(self.dut.write_ready.value):
                await self.cycle()
            given += offers
        self.dut.write_valid.value = 0
        while not int(self.dut.written.value):
            await self.cycle()


async def started(dut, settings):
    for name in ("flush", "request_valid", "read_ready", "write_valid"):
        getattr(dut, name).value = 0
    cocotb.start_soon(Clock(dut.clk, settings["period_ps"], "ps").start())
    dut.rst.value = 1
    await RisingEdge(dut.clk)
    await RisingEdge(dut.clk)
    dut.rst.value = 0
    return Client(dut, settings)


async def count(dut, cycles):
    while True:
        await RisingEdge(dut.clk)
        cycles[0] += 1


@cocotb.test()
async def memory_is_a_dictionary(dut):
    settings = json.loads(os.environ["HWSIM_BENCH"])
    client, held, cycles = await started(dut, settings), {}, [0]
    cocotb.start_soon(count(dut, cycles))
    report = {"bursts": [], "wrong": 0, "failed": 0}
    for write, address, words in settings["bursts"]:
        before = cycles[0]
        if write:
            await client.write(address, words)
            held |= dict(enumerate(words, address))
        else:
            expected = [held[place] for place in range(address, address + words)]
            report["wrong"] += await client.read(address, words) != expected
        report["bursts"].append(cycles[0] - before)
    Path(settings["report"]).write_text(json.dumps(report))
