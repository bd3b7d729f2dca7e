"""The SDRAM controller with a chip that keeps to its data sheet."""

import json
import random
from pathlib import Path

import pytest
from amaranth.back import verilog

from flows.fpga import models
from flows.verify import simulate
from rtl.sdram import Sdram, SdramController

PADS = Path(__file__).with_name("pads.v")
POWER_UP_US = 2.0
"""Of the chip here, so that the tests do not wait."""


def bench(controller, folder, bursts, patience=0.7, rules=None):
    """Run bursts; return the report, or what the chip says of a rule that was broken."""
    (folder / "controller.v").write_text(verilog.convert(controller.create(), name="controller", emit_src=False))
    parameters = "".join(
        f", .{name}({value})" for name, value in (rules or models.sdram_parameters(controller.chip)).items()
    )
    text = PADS.read_text().replace("`BITS", str(controller.bits)).replace("`RULES", parameters)
    text = text.replace("QUARTER_NS = 5.0", f"QUARTER_NS = {250 / controller.clock_mhz}")
    (folder / "pads.v").write_text(text)
    sources = [folder / "pads.v", folder / "controller.v", models.SDRAM]
    arguments = {
        "simulator": "icarus", "sources": [str(path) for path in sources],
        "bench": "tests.rtl.sdram.controller_bench", "folder": str(folder),
    }  # fmt: skip
    settings = {
        "bursts": bursts,
        "patience": patience,
        "seed": 1,
        "period_ps": round(1e6 / controller.clock_mhz / 2) * 2,
    }
    report = folder / "report.json"
    simulate.run_bench(arguments, folder, json.dumps(settings | {"report": str(report)}))
    log = (folder / "simulation.log").read_text()
    broken = [line for line in log.splitlines() if line.startswith("ERROR SDRAM")]
    assert report.exists() or broken, log[-3000:]
    return broken[0] if broken else json.loads(report.read_text())


def mixed(controller, number, longest=40, words=1 << 12):
    """Writes, and reads of what was written; near row ends, too."""
    draw, written, bursts = random.Random(2), [], []
    for _ in range(number):
        if not written or draw.random() < 0.5:
            count = draw.randint(1, longest)
            address = draw.choice([draw.randrange(words), 128 * draw.randrange(1, 32) - draw.randint(1, count)])
            bursts.append([1, max(address, 0), [draw.getrandbits(controller.bits) for _ in range(count)]])
            written.append((max(address, 0), count))
        else:
            address, count = draw.choice(written)
            first = draw.randrange(count)
            bursts.append([0, address + first, draw.randint(1, count - first)])
    return bursts


@pytest.mark.parametrize(
    ("bits", "chip", "clock_mhz"),
    [(64, {}, 50.0), (32, {"cas_latency": 3}, 60.0), (16, {}, 25.0), (128, {}, 48.0)],
)
def test_memory_is_a_dictionary(bits, chip, clock_mhz, tmp_path):
    controller = SdramController(chip=Sdram(power_up_us=POWER_UP_US, **chip), clock_mhz=clock_mhz, bits=bits)
    report = bench(controller, tmp_path, mixed(controller, 60))
    assert report["wrong"] == 0
