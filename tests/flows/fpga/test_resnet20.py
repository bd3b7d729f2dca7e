"""ShiftAddNet ResNet-20 on the ULX3S, whose SDRAM holds it: all of it slow."""

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from flows.compile import compile_network
from flows.fpga import Build, bitstream, build, examples, find_board, simulate
from flows.fpga.command import fpga
from hwsim.files import read_mapping
from models.shiftaddnet import resnet20
from rtl.accelerator import Accelerator
from tests.flows.compile.test_networks import with_statistics

CONFIG = Path(examples.__file__).with_name("shiftaddnet.yaml")


@pytest.fixture(scope="module")
def images():
    torch.manual_seed(0)
    return torch.rand(8, 3, 32, 32)


@pytest.fixture(scope="module")
def model(images):
    torch.manual_seed(0)
    return with_statistics(resnet20(), images)


@pytest.mark.slow
def test_the_board_computes_an_image(model, images, tmp_path):
    """On Verilator: the build's Verilog and the chip, which holds the network; the driver on the serial line."""
    network = compile_network(model, images, Accelerator.load(CONFIG))
    made = build(find_board("ulx3s-85f"), network.bundle.accelerator, tmp_path / "build", network.bundle)
    assert made.store.kind == "sdram"
    image = network.integers(images[:1])[0].numpy()
    assert (simulate.run(made, image, rtl=True, simulator="verilator") == network.bundle.run([image])[0]).all()


@pytest.mark.slow
def test_a_checkpoint_becomes_a_bitstream(model, images, tmp_path):
    torch.save(model.state_dict(), tmp_path / "checkpoint.pt")
    (tmp_path / "data.py").write_text("import torch\n\ndef images():\n    return torch.rand(8, 3, 32, 32)\n")
    options = [
        "build", "--board", "ulx3s-85f", "--config", str(CONFIG), "--model", "models.shiftaddnet:resnet20",
        "--checkpoint", str(tmp_path / "checkpoint.pt"), "--data", f"{tmp_path}/data.py:images",
        "-o", str(tmp_path / "build"), "--bitstream", "--seeds", "1",
    ]  # fmt: skip
    result = CliRunner().invoke(fpga, options, catch_exceptions=False)
    assert result.exit_code == 0
    made = Build.load(tmp_path / "build")
    report = read_mapping(bitstream.complete(made) / "report.json")
    assert report["fmax_mhz"] >= made.board.clock_mhz
    assert "memory_in_bitstream_bytes" not in report  # the network is not in it
