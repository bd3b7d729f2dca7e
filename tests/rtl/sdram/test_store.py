"""The accelerator behind a serial line, with an SDRAM that the host fills through it."""

import json

import numpy as np

from flows.verify import simulate
from rtl.control.bridge import SerialAccelerator
from rtl.sdram import Sdram, SdramController, SdramStore
from tests.rtl.control.test_bridge import DIVISOR, LAYER
from tests.rtl.sdram import tops


def test_a_program_runs_from_an_sdram(tmp_path):
    accelerator, image, start, _ = LAYER.program()
    controller = SdramController(chip=Sdram(power_up_us=2.0), bits=accelerator.memory_bits)
    store = SdramStore(controller)
    top = tops.OnBoard(SerialAccelerator(accelerator, store, divisor=DIVISOR), store)
    (tmp_path / "image").write_bytes(image.tobytes())
    settings = {name: str(tmp_path / name) for name in ("image", "result", "report")}
    arguments = {
        "simulator": "icarus", "sources": tops.write(top, controller, tmp_path),
        "bench": "tests.rtl.control.uart_bench", "folder": str(tmp_path),
    }  # fmt: skip
    settings |= {"program": start, "divisor": DIVISOR, "period_ns": round(1e3 / controller.clock_mhz)}
    simulate.run_bench(arguments, tmp_path, json.dumps(settings))
    assert (tmp_path / "report").exists(), (tmp_path / "simulation.log").read_text()[-3000:]
    twin = accelerator.compute(image, start)
    assert json.loads((tmp_path / "report").read_text())["status"] == (len(twin.commands) - 1) << 16
    np.testing.assert_array_equal(np.frombuffer((tmp_path / "result").read_bytes(), np.uint8), twin.image)
