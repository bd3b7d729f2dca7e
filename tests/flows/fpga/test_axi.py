"""Simulation through AXI: the board's driver, on the RTL in place of a netlist, and, slow, on the netlist."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from flows.compile import compile_network
from flows.compile.sources import load_model
from flows.fpga import axi, build, find_board, netlist
from flows.fpga.command import fpga
from flows.fpga.examples import digits
from hwsim.errors import HwsimError, InputError
from rtl.accelerator import Accelerator
from tests.flows.fpga.conftest import SMALL

CHECKPOINT = Path(digits.__file__).with_name("digits.pt")
DIGITS = {
    "rows": 2, "columns": 2, "pe": "int8_mac_piped", "activation_words": 512, "weight_words": 1024,
    "parameter_words": 32, "sum_words": 64, "memory_bits": 64, "burst": 16, "buffered_tiles": 1, "loop_bits": 10,
    "coordinate_bits": 8,
}  # fmt: skip
BLOCK_MEMORIES = SMALL | {"memory_bits": 64, "activation_words": 512, "weight_words": 512, "sum_words": 512}


@pytest.fixture
def small(tmp_path):
    torch.manual_seed(0)
    accelerator = Accelerator.model_validate(BLOCK_MEMORIES)
    network = compile_network(nn.Conv2d(2, 3, 2), torch.rand(4, 2, 4, 4), accelerator)
    return build(find_board("zc706"), accelerator, tmp_path / "zc706", network.bundle)


def test_the_driver_computes_an_image_through_axi(small):
    image = np.random.default_rng(1).integers(-128, 128, (2, 4, 4))
    np.testing.assert_array_equal(axi.run(small, image, rtl=True), small.network.run([image])[0])
    (small.folder / "memory.bin").write_bytes(bytes(len(small.network.content)))
    with pytest.raises(HwsimError, match=r"^the program ended with error 1 at command 0$"):
        axi.run(small, image, rtl=True)


def test_a_simulation_needs_the_netlist(small):
    with pytest.raises(InputError, match=r"zc706: must hold a netlist: build it with --netlist$"):
        axi.run(small, np.zeros((2, 4, 4), np.int64))


@pytest.mark.slow
def test_the_netlist_computes_an_image_through_axi(small, tmp_path):
    report = netlist.make(small)
    assert report["resources"]["bram"]["used"] == 3
    assert report["resources"]["dsp"]["used"] == 4
    assert "RAMB18E1" in (netlist.complete(small) / "netlist.v").read_text()
    np.save(tmp_path / "image.npy", np.random.default_rng(1).integers(-128, 128, (1, 2, 4, 4)))
    options = ["simulate", str(small.folder), "--image", str(tmp_path / "image.npy"), "--json"]
    found = CliRunner().invoke(fpga, options, catch_exceptions=False)
    assert len(json.loads(found.stdout)["output"]) == 27


@pytest.mark.slow
def test_the_netlist_recognises_a_digit_through_axi(tmp_path):
    accelerator = Accelerator.model_validate(DIGITS)
    model = load_model("flows.fpga.examples.digits:network", CHECKPOINT)
    network = compile_network(model, digits.images(), accelerator)
    made = build(find_board("zc706"), accelerator, tmp_path / "zc706", network.bundle)
    netlist.make(made)
    pictures, labels = digits.samples(train=False)
    image = network.integers(pictures[:1])[0].numpy()
    found = axi.run(made, image)
    np.testing.assert_array_equal(found, network.bundle.run([image])[0])
    assert found.argmax() == labels[0]
