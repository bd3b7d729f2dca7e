"""The accelerator behind AXI: programs started by a host, with the memory's channels pausing at random."""

import json

import numpy as np
import pytest
from amaranth.back import verilog

from flows.verify import design, simulate
from flows.verify.accelerator import Memory
from flows.verify.accelerator_cycles import predict
from rtl.control.axi import AxiAccelerator
from tests.rtl.layers import Layer

LAYER = Layer(
    kind="shift", rows=2, columns=2, lanes=4, memory_bits=32, buffered_tiles=2, block=(1, 2), size=(4, 5), channels=5,
    filters=3, kernel=(2, 2), stride=(1, 1), padding=(1, 0), dilation=(1, 1), residual=True,
)  # fmt: skip


@pytest.mark.parametrize(("paused", "reset_after"), [(0.0, 60), (0.5, 300)])
def test_a_host_runs_a_program_and_resets_another(paused, reset_after, tmp_path):
    before = 1014  # words, so that bursts cross a boundary of 4096 bytes
    accelerator, image, start, place = LAYER.program(base=before)
    image = np.concatenate([np.zeros(before * 4, np.uint8), image])
    top = AxiAccelerator(accelerator)
    (tmp_path / "top.v").write_text(verilog.convert(top, name=design.TOP, emit_src=False))
    (tmp_path / "image").write_bytes(image.tobytes())
    names = {name: str(tmp_path / name) for name in ("image", "result", "report")}
    settings = {**names, "base": 1 << 16, "program": start, "pauses": paused, "reset_after": reset_after}
    arguments = {
        "simulator": "icarus", "sources": [str(tmp_path / "top.v")], "bench": "tests.rtl.control.axi_bench",
        "folder": str(tmp_path),
    }  # fmt: skip
    simulate.run_bench(arguments, tmp_path, json.dumps(settings))
    assert (tmp_path / "report").exists(), (tmp_path / "simulation.log").read_text()[-3000:]
    twin = accelerator.compute(image, start)
    report = json.loads((tmp_path / "report").read_text())
    beats = predict(accelerator, twin.commands, Memory()).beats
    assert report == {"status": (len(twin.commands) - 1) << 16, "interrupt": 0, "beats": beats}
    result = np.frombuffer((tmp_path / "result").read_bytes(), np.uint8)
    np.testing.assert_array_equal(result, twin.image)
    np.testing.assert_array_equal(LAYER.output_image(accelerator, result, place), LAYER.expected())
