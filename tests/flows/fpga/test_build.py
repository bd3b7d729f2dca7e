"""Build directories: the same bytes, the board's pins, and errors."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from flows.fpga import BOARDS, Build, bitstream, build, estimate, find_board
from flows.fpga.command import fpga
from flows.fpga.memory import choose
from hwsim.errors import HwsimError, InputError
from rtl.accelerator import Accelerator
from tests.flows.fpga.conftest import SMALL


@pytest.fixture(scope="module")
def built(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("icebreaker") / "build"
    return build(find_board("icebreaker"), network.bundle.accelerator, folder, network.bundle)


def test_equal_inputs_give_equal_bytes(network, built, tmp_path):
    again = build(built.board, built.accelerator, tmp_path / "again", network.bundle)
    assert again.digest == built.digest
    for path in built.folder.iterdir():
        assert path.read_bytes() == (again.folder / path.name).read_bytes()


def digests(folder):
    """Digests of a build for each board."""
    accelerator = Accelerator.model_validate(SMALL | {"memory_bits": 64})
    return [build(board, accelerator, Path(folder) / name).digest for name, board in BOARDS.items()]


def test_another_process_makes_the_same_bytes(tmp_path):
    code = f"from tests.flows.fpga.test_build import digests; print(*digests({str(tmp_path / 'other')!r}))"
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == digests(tmp_path / "own")


def test_a_build_is_read_as_it_was_written(network, built):
    found = Build.load(built.folder)
    assert (found.board, found.accelerator, found.digest) == (built.board, built.accelerator, built.digest)
    np.testing.assert_array_equal(found.network.content, network.bundle.content)
    assert found.host["program"] == network.bundle.layout.program


def test_memory_files_agree(network, built):
    words = [int(line, 16) for line in (built.folder / "memory.hex").read_text().split()]
    assert np.array(words, "<u2").tobytes() == (built.folder / "memory.bin").read_bytes()


def test_pins_are_those_of_the_board(built):
    pins = re.findall(r"^set_io (\S+) (\S+)$", (built.folder / "top.pcf").read_text(), re.M)
    assert dict(pins) == {"clk12_0__io": "35", "uart_0__rx__io": "6", "uart_0__tx__io": "9"}
    assert "set_frequency clk12_0__io 12.0" in (built.folder / "top.pcf").read_text()


def test_a_simulation_needs_the_bitstream_of_this_build(built):
    with pytest.raises(InputError, match=r"build: must hold a bitstream: build it with --bitstream$"):
        bitstream.complete(built)
    folder = built.folder / "bitstream"
    folder.mkdir()
    (folder / "report.json").write_text(json.dumps({"build": "other", "sha256": {}}))
    with pytest.raises(InputError, match=r"report.json: build: must be of this build, not 'other'$"):
        bitstream.complete(built)


def test_a_network_of_another_accelerator_is_refused(network, built, tmp_path):
    other = built.accelerator.model_copy(update={"sum_words": 16})
    with pytest.raises(InputError, match=r"^--config: must be that of the compiled network$"):
        build(built.board, other, tmp_path / "x", network.bundle)


def test_unknown_boards_are_refused():
    with pytest.raises(InputError, match=r"^--board: must be one of icebreaker, ulx3s-85f, zc706, not 'arty'$"):
        find_board("arty")


def test_memories_that_cannot_fit_are_refused_before_anything_is_built(tmp_path):
    (tmp_path / "chip.yaml").write_text(json.dumps(SMALL | {"weight_words": 20000}))
    options = ["build", "--board", "icebreaker", "--config", str(tmp_path / "chip.yaml"), "-o", str(tmp_path / "x")]
    with pytest.raises(InputError, match=r"icebreaker: must have memories of at most 122880 bits unless --force is given \(weights takes \d+\), not \d+$"):
        CliRunner().invoke(fpga, options, catch_exceptions=False)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", BOARDS)
def test_each_board_has_an_accelerator_that_could_fit(name):
    board = BOARDS[name]
    estimate.check(board, board.accelerator(), choose(board, board.accelerator(), None), None)
    if board.baud:
        assert board.clock_mhz * 1e6 == board.baud * board.divisor


def test_models_need_data_and_their_own_weights(tmp_path):
    start = [
        "build",
        "--board",
        "icebreaker",
        "-o",
        str(tmp_path / "x"),
        "--model",
        "flows.fpga.examples.digits:network",
    ]
    with pytest.raises(InputError, match=r"^--data: must be given with a model, not ''$"):
        CliRunner().invoke(fpga, start, catch_exceptions=False)
    (tmp_path / "wrong.pt").write_text("no weights")
    options = [*start, "--data", "flows.fpga.examples.digits:images", "--checkpoint", str(tmp_path / "wrong.pt")]
    with pytest.raises(
        HwsimError, match=r"wrong.pt: must be a file of torch.save that holds tensors and numbers alone$"
    ):
        CliRunner().invoke(fpga, options, catch_exceptions=False)
    assert not (tmp_path / "x").exists()


def invoke(*options):
    return CliRunner().invoke(fpga, ["build", *options], catch_exceptions=False)


def test_what_the_estimate_rules_out_is_refused_unless_forced(tmp_path, monkeypatch):
    used = {"lut": 5800, "ff": 9999, "dsp": 9, "bram": 30}
    found = {"resources": {name: {"used": n} for name, n in used.items()}, "fmax_mhz": 20.0}
    monkeypatch.setattr(estimate, "estimate", lambda *given: found)
    monkeypatch.setattr(bitstream, "make", lambda build, *given: {"resources": {}})
    (tmp_path / "chip.yaml").write_text(json.dumps(SMALL))
    options = [
        "--board",
        "icebreaker",
        "--config",
        str(tmp_path / "chip.yaml"),
        "--bitstream",
        "-o",
        str(tmp_path / "x"),
    ]
    with pytest.raises(bitstream.DoesNotFitError) as error:
        invoke(*options)
    assert str(error.value) == (
        "before synthesis, by estimate: the design does not fit: dsp 9 of 8, 1 too many (fewer rows or columns, or a "
        "processing element without multipliers); --force builds nevertheless"
    )
    assert not (tmp_path / "x").exists()
    found["resources"] |= {"lut": {"used": 5819}, "dsp": {"used": 8}}
    with pytest.raises(bitstream.DoesNotFitError, match=r"does not fit: lut 5290 of 5280, 10 too many"):
        invoke(*options)
    invoke(*options, "--force")
    assert (tmp_path / "x" / "manifest.json").is_file()


@pytest.mark.parametrize(
    ("board", "option", "message"),
    [
        ("zc706", "--bitstream", "--board: must be a board of open tools to make a bitstream: Vivado makes that of"),
        ("icebreaker", "--netlist", "--netlist: must be absent: --bitstream makes the netlist of this board"),
    ],
)
def test_each_board_has_its_own_way(board, option, message, tmp_path):
    with pytest.raises(InputError) as error:
        invoke("--board", board, option, "-o", str(tmp_path / "x"))
    assert str(error.value).startswith(message)
    assert not (tmp_path / "x").exists()


def test_an_unwritable_folder_is_one_error(built, monkeypatch):
    def denied(*given, **named):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("flows.fpga.parts.tempfile.mkdtemp", denied)
    with pytest.raises(HwsimError, match=r"^cannot write .*build/bitstream: permission denied$"):
        bitstream.make(built, [1], 1)
