"""What `hwsim rtl emit ACCELERATOR.yaml` writes, used as a stranger would: the files and a simulator, nothing else."""

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.verify import tools
from flows.verify.emit_accelerator import emit
from flows.verify.rtl_command import rtl
from hwsim.errors import InputError
from rtl.accelerator import Accelerator
from rtl.control.core import COUNTERS

CONFIGURATION = "{rows: 2, columns: 2, pe: PE, word_lanes: 4, activation_words: 32, weight_words: 16, memory_bits: 32}"


@pytest.mark.parametrize("pe", ["shiftadd8z", "serial8", "simhash8x4"])
def test_files_agree_with_a_simulator(tmp_path: Path, pe: str) -> None:
    (tmp_path / "chip.yaml").write_text(CONFIGURATION.replace("PE", pe))
    arguments = ["emit", str(tmp_path / "chip.yaml"), "-o", str(tmp_path)]
    result = CliRunner().invoke(rtl, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    described = json.loads((tmp_path / "accelerator.json").read_text())
    words = (tmp_path / "memory.hex").read_text().split()
    build = ["iverilog", "-g2012", "-s", "bench", "-o", "bench.vvp", "-Pbench.BITS=32", f"-Pbench.COUNTERS={len(COUNTERS)}"]
    call(tmp_path, *build, "accelerator_bench.v", "accelerator.v")
    settings = {
        "memory": "memory.hex", "words": len(words), "programs": "program.hex", "result": "after.hex",
        "latency": described["memory_latency"], "stalls": 0, "seed": 1, "limit": 100_000, "reset_at": 0,
    }  # fmt: skip
    printed = call(tmp_path, "vvp", "bench.vvp", *(f"+{name}={value}" for name, value in settings.items()))
    error, _, counters = next(line for line in printed.splitlines() if line.startswith("DONE")).split()[1:]
    found = {name: int(counters, 16) >> 32 * place & 0xFFFFFFFF for place, name in enumerate(COUNTERS)}
    assert int(error, 16) == 0
    assert {name: found[name] for name in described["counters"]} == described["counters"]
    after = [line for line in (tmp_path / "after.hex").read_text().split() if not line.startswith(("//", "@", "0x"))]
    expected = (tmp_path / "expected.hex").read_text().split()
    assert [word for word in after if len(word) == 8] == expected != words


def call(folder: Path, *command: str) -> str:
    done = subprocess.run(
        [str(tools.find(command[0])), *command[1:]], cwd=folder, env=tools.environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_ports_are_those_of_the_verilog(tmp_path: Path) -> None:
    emit(Accelerator.model_validate({"pe": "shift8", "rows": 1, "columns": 1}), tmp_path)
    described = json.loads((tmp_path / "accelerator.json").read_text())
    verilog = (tmp_path / "accelerator.v").read_text()
    for port, facts in described["ports"].items():
        bits = f"[{facts['bits'] - 1}:0] " if facts["bits"] > 1 else ""
        assert f"{facts['direction']}put {bits}{port};" in verilog


@pytest.mark.parametrize(
    ("pe", "words", "message"),
    [
        ("shift8", 1, r"^activation_words: must have room for a pixel and its result, not 1$"),
        ("simhash8x4", 9, r"^word_lanes: must have the 4 channels of a beat, not 1$"),
    ],
)
def test_an_accelerator_without_room_is_refused(tmp_path: Path, pe: str, words: int, message: str) -> None:
    small = Accelerator.model_validate({"pe": pe, "rows": 1, "columns": 1, "activation_words": words})
    with pytest.raises(InputError, match=message):
        emit(small, tmp_path)
