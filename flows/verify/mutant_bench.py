"""The cocotb test bench that tries every mutant of one netlist until a result is wrong; see `mutation`."""

from __future__ import annotations

import json
import os
from collections import deque
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from flows.verify.bench import integer, reset
from flows.verify.stimulus import Stimulus

PATIENCE = 64
"""Cycles that a beat may wait to be taken, and a result after the last beat."""


@cocotb.test()
async def every_mutant(dut: Any) -> None:
    """Report the mutants that no result betrays; mutant 0, the PE itself, must be among them."""
    settings = json.loads(os.environ["HWSIM_BENCH"])
    stimulus = Stimulus.load(Path(settings["stimulus"]))
    survivors = []
    dut.mutant.value = 0
    for name in stimulus.operands:
        getattr(dut, name).value = 0
    await reset(dut)
    for number in range(settings["mutants"] + 1):
        await select(dut, number)
        if not await betrayed(dut, stimulus, settings["latency"], settings["signed"]):
            survivors.append(number)
    Path(settings["report"]).write_text(json.dumps({"survivors": survivors}), encoding="utf-8")


async def select(dut: Any, number: int) -> None:
    """Let a mutant start from its reset."""
    dut.mutant.value = number
    dut.valid.value, dut.rst.value = 0, 1
    for _ in range(3):
        await FallingEdge(dut.clk)
    dut.rst.value = 0
    await FallingEdge(dut.clk)


async def betrayed(dut: Any, stimulus: Stimulus, latency: int, signed: list[bool]) -> bool:
    """Play the beats; return whether a result, its cycle or ``ready`` was wrong."""
    handles = [getattr(dut, name) for name in [*stimulus.operands, "first", "last"]]
    outputs = list(zip((getattr(dut, name) for name in stimulus.results), signed, strict=True))
    columns = [*stimulus.operands.values(), stimulus.first.astype(int), stimulus.last.astype(int)]
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    results = list(zip(*(column.tolist() for column in stimulus.results.values()), strict=True))
    delays = (stimulus.cycles + latency - 1).tolist()
    waits = stimulus.idle.tolist()
    due: deque[tuple[int, tuple[int, ...]]] = deque()
    edge, beat, wait, free_at = FallingEdge(dut.clk), 0, waits[0], 0
    for cycle in range(sum(waits) + int(stimulus.cycles.sum()) + PATIENCE):
        if str(dut.done.value) != ("1" if due and due[0][0] == cycle else "0"):
            return True
        if due and due[0][0] == cycle and not _equal(outputs, due.popleft()[1]):
            return True
        if beat == len(rows) or wait:
            dut.valid.value = 0
            wait = max(wait - 1, 0)
        else:
            dut.valid.value = 1
            for handle, value in zip(handles, rows[beat], strict=True):
                handle.value = value
            if str(dut.ready.value) != ("1" if cycle >= free_at else "0"):
                return True
            if cycle >= free_at:
                free_at = cycle + int(stimulus.cycles[beat])
                if rows[beat][-1]:
                    due.append((cycle + delays[beat], results[beat]))
                beat += 1
                wait = waits[beat] if beat < len(rows) else 0
        await edge
    return bool(due)


def _equal(outputs: list[tuple[Any, bool]], expected: tuple[int, ...]) -> bool:
    values = [(handle.value, is_signed) for handle, is_signed in outputs]
    if not all(value.is_resolvable for value, _ in values):
        return False
    return tuple(integer(value, is_signed) for value, is_signed in values) == expected
