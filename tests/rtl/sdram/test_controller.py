"""The SDRAM controller with a chip that keeps to its data sheet."""

import json
import random

import pytest
from amaranth.sim import Simulator
from pydantic import ValidationError

from flows.verify import simulate
from rtl.sdram import Sdram, SdramController
from tests.rtl.sdram import tops

CHIP = {"power_up_us": 2.0}
"""So that the tests do not wait for 200 us."""


def bench(controller, folder, bursts, patience=0.7, rules=None):
    """Run bursts; return the report, or what the chip says of a rule that was broken."""
    unit = controller.create()
    sources = tops.write(tops.OnBoard(unit, unit), controller, folder, rules)
    report = folder / "report.json"
    arguments = {
        "simulator": "icarus", "sources": sources, "bench": "tests.rtl.sdram.controller_bench", "folder": str(folder),
    }  # fmt: skip
    period_ps = round(5e5 / controller.clock_mhz) * 2
    settings = {"bursts": bursts, "patience": patience, "period_ps": period_ps, "report": str(report)}
    simulate.run_bench(arguments, folder, json.dumps(settings))
    log = (folder / "simulation.log").read_text()
    broken = [line for line in log.splitlines() if line.startswith("ERROR SDRAM")]
    assert report.exists() or broken, log[-3000:]
    return broken[0] if broken else json.loads(report.read_text())


def mixed(bits, number, longest=40, resets=False):
    """Writes, and reads of what was written, many of them across the end of a row, some of them cut by a reset."""
    draw, written, bursts = random.Random(2), [], []
    for index in range(number):
        passed = index % 4 if resets and index % 3 == 2 else None
        if not written or draw.random() < 0.5:
            count = draw.randint(4, longest)
            address = draw.choice([draw.randrange(4096), max(128 * draw.randrange(1, 32) - draw.randint(1, count), 0)])
            bursts.append([1, address, [draw.getrandbits(bits) for _ in range(count)], passed])
            if passed is None:
                written.append((address, count))
        else:
            address, count = draw.choice(written)
            first = draw.randrange(count - 3)
            bursts.append([0, address + first, draw.randint(4, count - first), passed])
    return bursts


@pytest.mark.parametrize(
    ("bits", "chip", "clock_mhz", "patience", "resets"),
    [
        (64, {}, 50.0, 0.7, True),
        (64, {}, 50.0, 0.05, False),
        (32, {"cas_latency": 3}, 60.0, 0.9, True),
        (16, {}, 25.0, 1.0, False),
        (128, {}, 48.0, 0.7, False),
    ],
)
def test_memory_is_a_dictionary(bits, chip, clock_mhz, patience, resets, tmp_path):
    controller = SdramController(chip=Sdram(**CHIP, **chip), clock_mhz=clock_mhz, bits=bits)
    bursts = mixed(bits, 60) if patience > 0.1 else mixed(bits, 6, 120)
    report = bench(controller, tmp_path, mixed(bits, 60, resets=True) if resets else bursts, patience)
    assert report["wrong"] == 0


def test_words_follow_each_other_without_a_gap(tmp_path):
    controller = SdramController(chip=Sdram(**CHIP), bits=64)
    words = [1 << 60 | place for place in range(64)]
    report = bench(controller, tmp_path, [[1, 0, words[:1], None], [1, 0, words, None], [0, 0, 64, None]], patience=1.0)
    _, write, read = report["cycles"]
    assert report["wrong"] == 0
    assert read == 1 + controller.read_latency + 63 * 4 + 1  # the request's own cycle, all words
    assert 64 * 4 < write < read + 10


@pytest.mark.parametrize(
    ("rule", "slower", "name"),
    [
        ("POWER_UP", 5000, "power-up time"),
        ("T_RCD", 41, "tRCD"),
        ("T_RP", 41, "tRP"),
        ("T_RAS", 150, "tRAS"),
        ("T_RFC", 81, "tRFC"),
        ("T_WR", 50, "tWR"),
        ("T_REFI", 4000, "refreshed too late"),
    ],
)
def test_the_chip_notices_a_broken_rule(rule, slower, name, tmp_path):
    controller = SdramController(chip=Sdram(**CHIP), bits=64)
    assert bench(controller, tmp_path, mixed(64, 40, 12), rules={rule: slower}).endswith(f" ns: {name}")


def test_bursts_beyond_the_chip_fail():
    controller = SdramController(chip=Sdram(power_up_us=0.1), bits=64)
    unit, failed = controller.create(), []

    async def ask(ctx):
        for address in (controller.words - 2, controller.words - 1):
            ctx.set(unit.memory.request.payload, {"address": address, "count": 2, "write": 1})
            ctx.set(unit.memory.request.valid, 1)
            while not ctx.get(unit.memory.request.ready):
                await ctx.tick()
            failed.append(ctx.get(unit.memory.failed))
            await ctx.tick()
            ctx.set(unit.flush, 1)
            await ctx.tick()
            ctx.set(unit.flush, 0)

    simulator = Simulator(unit)
    simulator.add_clock(2e-8)
    simulator.add_testbench(ask)
    simulator.run()
    assert failed == [0, 1]


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [("bits", 48, "bits must be a power of two"), ("clock_mhz", 80.0, "clock_mhz must be at most 62.5")],
)
def test_impossible_controllers_are_refused(field, value, rule):
    with pytest.raises(ValidationError, match=rule):
        SdramController(**{field: value})
