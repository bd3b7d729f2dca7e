"""The cocotb test bench, run inside the simulator: the same for every PE, at register and at gate level.

Driver, monitor and scoreboard all work at the falling edge of the clock, where every simulator shows the same
settled values. The beats and the twin's results come from the file that HWSIM_STIMULUS names.
"""

from __future__ import annotations

import json
import os
from collections import deque
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from flows.verify.coverage import Coverage
from flows.verify.stimulus import Stimulus

COVERED_BEATS = 4_000
"""Beats that functional coverage looks at; more would cost time and not add bins."""


class Scoreboard:
    """Compares results in order: value of every result port, and the cycle in which it is announced."""

    def __init__(self) -> None:
        self.checked = 0
        self._expected: deque[tuple[int, int, tuple[int, ...]]] = deque()

    def expect(self, beat: int, due: int, values: tuple[int, ...]) -> None:
        """Take note of the results of a beat and the cycle in which they are due."""
        self._expected.append((beat, due, values))

    def receive(self, cycle: int, values: tuple[int, ...]) -> None:
        """Compare results that the design announces in ``cycle``."""
        assert self._expected, f"cycle {cycle}: done without a beat marked last"
        beat, due, expected = self._expected.popleft()
        assert cycle == due, f"beat {beat}: done in cycle {cycle}, expected in cycle {due}"
        assert values == expected, f"beat {beat}: results {values}, expected {expected}"
        self.checked += 1

    def close(self) -> None:
        """Fail if a result is still missing."""
        assert not self._expected, (
            f"{len(self._expected)} results never came, first of beat {self._expected[0][0]}"
        )


async def drive(
    dut: Any, stimulus: Stimulus, scoreboard: Scoreboard, latency: int, coverage: Coverage
) -> None:
    """Offer every beat until it is taken."""
    handles = [getattr(dut, name) for name in [*stimulus.operands, "first", "last"]]
    columns = [*stimulus.operands.values(), stimulus.first.astype(int), stimulus.last.astype(int)]
    rows = zip(*(column.tolist() for column in columns), strict=True)
    results = list(zip(*(column.tolist() for column in stimulus.results.values()), strict=True))
    idle, delays = stimulus.idle.tolist(), (stimulus.cycles + latency - 1).tolist()
    clock, longest = Cycles(dut), int(stimulus.cycles.max())
    for index, row in enumerate(rows):
        if idle[index]:
            dut.valid.value = 0
            await clock.wait(idle[index])
        dut.valid.value = 1
        for handle, value in zip(handles, row, strict=True):
            handle.value = value
        await ready(dut, clock, index, longest)
        if row[-1]:
            scoreboard.expect(index, clock.now + delays[index], results[index])
        if index < COVERED_BEATS or index >= len(results) - COVERED_BEATS:
            coverage.sample(stimulus, index)
        await clock.wait(1)
    dut.valid.value = 0


async def ready(dut: Any, clock: Cycles, beat: int, longest: int) -> None:
    """Wait until the design takes a beat, which no PE delays by more cycles than its longest beat needs."""
    for _ in range(longest):
        if dut.ready.value == 1:
            return
        await clock.wait(1)
    raise AssertionError(f"beat {beat}: not ready for {longest} cycles")


async def monitor(dut: Any, stimulus: Stimulus, scoreboard: Scoreboard, signed: list[bool]) -> None:
    """Report the results of every cycle in which the design is done."""
    handles = list(zip((getattr(dut, name) for name in stimulus.results), signed, strict=True))
    clock = Cycles(dut)
    while True:
        if dut.done.value == 1:
            scoreboard.receive(
                clock.now, tuple(integer(handle.value, is_signed) for handle, is_signed in handles)
            )
        await clock.wait(1)


class Cycles:
    """Counts the falling edges that one coroutine has waited for."""

    def __init__(self, dut: Any) -> None:
        self.now = 0
        self._edge = FallingEdge(dut.clk)

    async def wait(self, cycles: int) -> None:
        """Wait for so many falling edges."""
        for _ in range(cycles):
            await self._edge
        self.now += cycles


def integer(value: Any, signed: bool) -> int:
    """Return the integer that a port holds; ports of one bit are scalars to cocotb."""
    if not hasattr(value, "to_signed"):
        return int(value)
    return int(value.to_signed() if signed else value.to_unsigned())


async def reset(dut: Any) -> None:
    """Start the clock and hold the reset for four cycles."""
    for name in ("valid", "first", "last"):
        getattr(dut, name).value = 0
    dut.rst.value = 1
    Clock(dut.clk, 10, unit="ns").start()
    for _ in range(4):
        await FallingEdge(dut.clk)
    dut.rst.value = 0
    await FallingEdge(dut.clk)


@cocotb.test()
async def every_beat(dut: Any) -> None:
    """Every result is the twin's, in the cycle that the latency formula says; every bin is covered."""
    settings = json.loads(os.environ["HWSIM_BENCH"])
    stimulus = Stimulus.load(Path(settings["stimulus"]))
    scoreboard, coverage = Scoreboard(), Coverage(settings["bins"], settings["operands"])
    for name in stimulus.operands:
        getattr(dut, name).value = 0
    await reset(dut)
    watching = cocotb.start_soon(monitor(dut, stimulus, scoreboard, settings["signed"]))
    await drive(dut, stimulus, scoreboard, settings["latency"], coverage)
    for _ in range(settings["latency"] + 64):
        await FallingEdge(dut.clk)
    watching.cancel()
    scoreboard.close()
    report = {"beats": len(stimulus), "checked": scoreboard.checked, "coverage": coverage.report()}
    Path(settings["report"]).write_text(json.dumps(report), encoding="utf-8")
