"""Running a compiled program from the command line: accelerator, then host, with the bits of the reference."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from flows.compile import compile_network
from hwsim.cli.main import main
from rtl.accelerator import Accelerator
from rtl.pe import find


class Block(nn.Module):
    """A patch embedding that the accelerator runs, and behind it a transformer block that it does not."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Sequential(nn.Conv2d(3, 8, 2, 2), nn.ReLU())
        self.norm, self.attention = nn.LayerNorm(8), nn.MultiheadAttention(8, 2, batch_first=True)
        self.mlp, self.head = nn.Sequential(nn.Linear(8, 12), nn.GELU(), nn.Linear(12, 8)), nn.Linear(8, 4)

    def behind(self, x):
        x = x.flatten(2).transpose(1, 2)
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return self.head((x + self.mlp(self.norm(x))).mean(1)).softmax(-1)

    def forward(self, x):
        return self.behind(self.embed(x))


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["run", *map(str, arguments)])
    return ended.value.code


@pytest.fixture
def compiled(tmp_path):
    torch.manual_seed(0)
    model, images = Block().eval(), torch.rand(5, 3, 6, 6)
    network = compile_network(model, images, Accelerator(rows=2, columns=4, pe=find("int8_mac")), host_ops=True)
    network.bundle.save(tmp_path / "program")
    np.save(tmp_path / "images.npy", images.numpy())
    return model, images, network


def test_the_host_ends_what_the_accelerator_began(compiled, tmp_path):
    """Five images through a program for two at a time; the host's numbers are PyTorch's on the reference."""
    model, images, network = compiled
    assert network.bundle.layout.host[-1] == "softmax"
    assert call(tmp_path / "program", "--input", tmp_path / "images.npy", "-o", tmp_path / "scores.npy") == 0
    got = np.load(tmp_path / "scores.npy")
    real = (network.reference(images) * network.graph.scales[network.graph.output]).float()
    with torch.no_grad():
        expected = torch.cat([model.behind(real[[first, (first + 1) % 5]]) for first in (0, 2, 4)])[:5]
    np.testing.assert_allclose(got, expected.numpy(), rtol=1e-5)  # attention in other kernels
    np.testing.assert_array_equal(network.scores(network.run(images)).numpy(), got)
    with torch.no_grad():
        np.testing.assert_allclose(got, model(images).numpy(), atol=0.02)


def test_on_the_rtl(compiled, tmp_path, capsys):
    arguments = tmp_path / "program", "--input", tmp_path / "images.npy", "--json"
    shown = []
    for simulator in ("model", "icarus"):
        assert call(*arguments, "--simulator", simulator) == 0
        shown.append(json.loads(capsys.readouterr().out))
    assert shown[0] == shown[1]
    assert np.allclose(np.sum(shown[0], axis=1), 1)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (["--simulator", "vcs"], "--simulator: must be model, verilator or icarus, not 'vcs'"),
        (["-o", "scores.csv"], "--output: must end in .npy, not 'scores.csv'"),
        (["--input", "wide.npy"], "images: must have the shape (samples, *(3, 6, 6)), not (2, 3, 6, 7)"),
    ],
)
def test_errors(compiled, tmp_path, capsys, monkeypatch, changed, message):
    monkeypatch.chdir(tmp_path)
    np.save("wide.npy", np.zeros((2, 3, 6, 7)))
    assert call("program", "--input", "images.npy", *changed) == 1
    assert message in capsys.readouterr().err


def test_a_host_program_that_is_not_the_layouts(compiled, tmp_path, capsys):
    file = tmp_path / "program" / "host.pt2"
    file.write_bytes(file.read_bytes() + b" ")
    assert call(tmp_path / "program", "--input", tmp_path / "images.npy") == 1
    assert "host_sha256: must be that of" in capsys.readouterr().err
