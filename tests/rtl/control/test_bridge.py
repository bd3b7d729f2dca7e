"""The accelerator behind a serial line."""

import json

import numpy as np
from amaranth.back import verilog

from flows.verify import design, simulate
from flows.verify.accelerator import Memory
from flows.verify.accelerator_cycles import predict
from rtl.control.bridge import LocalMemory, SerialAccelerator
from tests.rtl.layers import Layer

LAYER = Layer(
    kind="shift", rows=1, columns=2, lanes=2, memory_bits=32, buffered_tiles=1, block=(1, 1), size=(2, 3), channels=3,
    filters=2, kernel=(1, 2), stride=(1, 1), padding=(0, 0), dilation=(1, 1),
)  # fmt: skip
DIVISOR = 4
LOCAL_LATENCY = 2
"""Cycles that `LocalMemory` states."""


def test_a_program_runs_from_a_serial_line(tmp_path):
    accelerator, image, start, _ = LAYER.program()
    local = LocalMemory(bits=32, words=len(image) // 4).create()
    top = SerialAccelerator(accelerator, local, divisor=DIVISOR)
    (tmp_path / "top.v").write_text(verilog.convert(top, name=design.TOP, emit_src=False))
    (tmp_path / "image").write_bytes(image.tobytes())
    names = {name: str(tmp_path / name) for name in ("image", "result", "report")}
    arguments = {
        "simulator": "icarus", "sources": [str(tmp_path / "top.v")], "bench": "tests.rtl.control.uart_bench",
        "folder": str(tmp_path),
    }  # fmt: skip
    simulate.run_bench(arguments, tmp_path, json.dumps({**names, "program": start, "divisor": DIVISOR}))
    assert (tmp_path / "report").exists(), (tmp_path / "simulation.log").read_text()[-3000:]
    twin = accelerator.compute(image, start)
    cycles = predict(accelerator, twin.commands, Memory(latency=LOCAL_LATENCY)).cycles
    report = json.loads((tmp_path / "report").read_text())
    assert report == {"status": (len(twin.commands) - 1) << 16, "cycles": cycles}
    np.testing.assert_array_equal(np.frombuffer((tmp_path / "result").read_bytes(), np.uint8), twin.image)
