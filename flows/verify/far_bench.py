"""The cocotb test bench that plays beats held for many cycles to some mutants; see `far`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Timer

from flows.verify.bench import integer, reset
from flows.verify.mutant_bench import select
from flows.verify.stimulus import Stimulus


@cocotb.test()
async def every_survivor(dut: Any) -> None:
    """Report the mutants that no result betrays."""
    settings = json.loads(os.environ["HWSIM_BENCH"])
    stimulus = Stimulus.load(Path(settings["stimulus"]))
    for name in stimulus.operands:
        getattr(dut, name).value = 0
    await reset(dut)
    survivors = []
    for number in settings["mutants"]:
        await select(dut, number)
        if not await betrayed(dut, stimulus, settings):
            survivors.append(number)
    Path(settings["report"]).write_text(json.dumps({"survivors": survivors}), encoding="utf-8")


async def betrayed(dut: Any, stimulus: Stimulus, settings: dict[str, Any]) -> bool:
    """Play the beats; return whether the result of one that is the last of a sum was wrong."""
    handles = [getattr(dut, name) for name in [*stimulus.operands, "first", "last"]]
    outputs = list(zip((getattr(dut, name) for name in stimulus.results), settings["signed"], strict=True))
    columns = [*stimulus.operands.values(), stimulus.first.astype(int), stimulus.last.astype(int)]
    rows = zip(*(column.tolist() for column in columns), strict=True)
    results = zip(*(column.tolist() for column in stimulus.results.values()), strict=True)
    for row, expected, cycles in zip(rows, results, settings["held"], strict=True):
        dut.valid.value = 1
        for handle, value in zip(handles, row, strict=True):
            handle.value = value
        await Timer(10 * cycles, "ns")
        if row[-1]:
            dut.valid.value = 0
            if settings["latency"] > 1:
                await Timer(10 * (settings["latency"] - 1), "ns")
            if dut.done.value != 1 or tuple(integer(port.value, signed) for port, signed in outputs) != expected:
                return True
    return False
