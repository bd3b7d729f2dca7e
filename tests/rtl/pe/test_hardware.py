"""Every configuration in Amaranth's own simulator: a few hundred beats, the twin's results."""

from typing import Any

import pytest
from amaranth.hdl import Value
from amaranth.sim import Simulator

from flows.verify import stimulus
from rtl.pe import CATALOG, find

BEATS = 150


@pytest.mark.parametrize("name", CATALOG)
def test_hardware_is_its_twin(name: str) -> None:
    pe = find(name)
    beats = stimulus.make(pe, BEATS, seed=3).head(BEATS)
    element = pe.create()
    found: list[tuple[int, ...]] = []

    async def drive(context: Any) -> None:
        for index in range(BEATS):
            for _ in range(int(beats.idle[index])):
                await context.tick()
            for port, column in beats.operands.items():
                context.set(Value.cast(getattr(element, port)), int(column[index]))
            context.set(element.first, int(beats.first[index]))
            context.set(element.last, int(beats.last[index]))
            context.set(element.valid, 1)
            while not context.get(element.ready):
                await context.tick()
            await context.tick()
            context.set(element.valid, 0)
        for _ in range(pe.latency + 20):
            await context.tick()

    async def watch(context: Any) -> None:
        ports = [Value.cast(getattr(element, port)) for port in pe.results]
        async for _, _, done, *values in context.tick().sample(element.done, *ports):
            if done:
                found.append(tuple(map(int, values)))

    simulator = Simulator(element)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.add_process(watch)
    simulator.run()
    rows = zip(*(column[beats.last].tolist() for column in beats.results.values()), strict=True)
    assert found == list(rows)
