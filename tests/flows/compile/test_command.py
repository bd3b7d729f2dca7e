"""`hwsim compile` and its files: the same bytes every time, and one clear sentence for what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from flows.compile import Bundle, compile_network
from flows.compile.sources import load_images, load_model
from hwsim.cli.main import main
from hwsim.errors import InputError
from models.layers import ShiftConv2d
from rtl.accelerator import Accelerator

NETWORK = """
import torch
from torch import nn

def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(24, 3))

def attention():
    return nn.Sequential(network(), nn.Softmax(1))

def images():
    torch.manual_seed(1)
    return torch.rand(4, 2, 4, 4)

number = 3
def no_network():
    return 3
"""
CONFIG = "rows: 4\ncolumns: 4\npe: int8_mac\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "net.py").write_text(NETWORK)
    (tmp_path / "chip.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    """The command in a process of its own."""
    command = [sys.executable, "-m", "hwsim.cli.main", "compile", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "200"})


def call(monkeypatch, capsys, *arguments):
    """The command in this process: status, output and errors."""
    monkeypatch.setattr(sys, "argv", ["hwsim", "compile", *arguments])
    with pytest.raises(SystemExit) as status:
        main()
    return status.value.code, *capsys.readouterr()


GIVEN = ("--config", "chip.yaml", "--data", "net.py:images", "-o")


def test_two_runs_write_the_same_bytes(folder):
    first = run("net.py:network", *GIVEN, "one")
    second = run("net.py:network", *GIVEN, "two", "--json")
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    names = sorted(path.name for path in (folder / "one").iterdir())
    assert names == ["accelerator.yaml", "layout.json", "memory.bin"]
    for name in names:
        assert (folder / "one" / name).read_bytes() == (folder / "two" / name).read_bytes()
    layout = json.loads(second.stdout)
    assert [part["name"] for part in layout["layers"]] == ["0+1", "2", "4"]
    assert "commands" in first.stdout


def test_files_run_as_the_network_does(folder):
    model, images = load_model("net.py:network"), load_images("net.py:images")
    network = compile_network(model, images, Accelerator.load("chip.yaml"))
    network.bundle.save("out")
    bundle = Bundle.load("out")
    assert bundle.accelerator == network.bundle.accelerator
    assert bundle.layout == network.bundle.layout
    outputs = bundle.run(network.integers(images).numpy())
    assert torch.equal(torch.from_numpy(outputs), network.reference(images))


def test_checkpoints_exported_programs_and_arrays(folder):
    model = load_model("net.py:network")
    torch.save({name: value + 1 for name, value in model.state_dict().items()}, "weights.pt")
    loaded = load_model("net.py:network", "weights.pt")
    assert torch.equal(loaded[0].weight, model[0].weight + 1)
    torch.save({"model": dict.fromkeys(model.state_dict(), torch.zeros(1))}, "other.pt")
    with pytest.raises(InputError, match=r"^other\.pt: 0\.bias: must have the shape \(6,\), not \(1,\)$"):
        load_model("net.py:network", "other.pt")
    shift = nn.Sequential(ShiftConv2d(2, 3, 1)).eval()
    torch.export.save(torch.export.export(shift, (torch.zeros(2, 2, 4, 4),)), "net.pt2")
    np.save("images.npy", np.ones((3, 2, 4, 4)))
    assert load_images("images.npy").dtype == torch.float32
    chip = Accelerator(rows=2, columns=2, pe="shift8z_right")
    images = load_images("images.npy")
    one, two = (compile_network(source, images, chip) for source in (load_model("net.pt2"), shift))
    assert one.bundle.layout == two.bundle.layout


def test_host_ops(folder, monkeypatch, capsys):
    status, shown, _ = call(monkeypatch, capsys, "net.py:attention", *GIVEN, "out", "--host-ops")
    assert status == 0
    assert "left to the host: 1" in shown
    assert Bundle.load("out").layout.host == ("1",)
    again, _, _ = call(monkeypatch, capsys, "net.py:attention", *GIVEN, "again", "--host-ops")
    assert again == 0
    assert (folder / "out" / "host.pt2").read_bytes() == (folder / "again" / "host.pt2").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["net.py:attention"], "model: holds layers that the accelerator cannot run: 1 (aten.softmax.int) has no command"),
        (["net.py:nothing"], "MODEL: must name a function, not 'net.py:nothing'"),
        (["net.py:number"], "MODEL: must name a function, not 'net.py:number'"),
        (["net.py:no_network"], "net.py:no_network: must make a torch.nn.Module, not 'int'"),
        (["net.py"], "MODEL: must be FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION, not 'net.py'"),
        (["nowhere.py:network"], "nowhere.py: cannot be read: no such file"),
        (["no.module:network"], "MODEL: cannot be imported: No module named 'no', not 'no.module'"),
        (["none.pt2"], "none.pt2: cannot be read: no such file"),
        (["net.py:network", "--checkpoint", "chip.yaml"], "chip.yaml: must be a file of torch.save that holds tensors and numbers alone"),
        (["net.py:network", "--data", "none.npy"], "none.npy: cannot be read: no such file"),
        (["net.py:network", "--data", "net.py:no_network"], "net.py:no_network: must be samples of images, not 'int'"),
        (["net.py:network", "--percentile", "20"], "percentile: must be above 50 and at most 100, not 20.0"),
        (["net.py:network", "--config", "none.yaml"], "none.yaml: cannot be read: no such file or directory"),
    ],
)  # fmt: skip
def test_errors_write_nothing(folder, monkeypatch, capsys, arguments, message):
    status, _, errors = call(monkeypatch, capsys, *GIVEN, "out", *arguments)
    assert status == 1
    assert errors.startswith(f"error: {message}")
    assert errors.count("\n") == 1
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("activation_words", 20, "activation_words: must be at least 48 for layer 0+1, which holds {'input': 16, 'relu': 32} words, not 20"),
        ("weight_words", 8, "weight_words: must be at least 36 for the 9 kernel positions of layer 0+1, not 8"),
    ],
)  # fmt: skip
def test_a_network_that_is_too_large(folder, monkeypatch, capsys, field, value, message):
    (folder / "chip.yaml").write_text(CONFIG + f"{field}: {value}\n")
    status, _, errors = call(monkeypatch, capsys, "net.py:network", *GIVEN, "out")
    assert (status, errors) == (1, f"error: {message}\n")


def test_a_changed_memory_is_found(folder):
    network = compile_network(load_model("net.py:network"), load_images("net.py:images"), Accelerator.load("chip.yaml"))
    network.bundle.save("out")
    content = bytearray((folder / "out" / "memory.bin").read_bytes())
    content[-1] ^= 1
    (folder / "out" / "memory.bin").write_bytes(content)
    with pytest.raises(InputError, match=r"^out/layout\.json: sha256: must be that of out/memory\.bin, not '"):
        Bundle.load("out")


def test_an_image_of_another_shape(folder):
    network = compile_network(load_model("net.py:network"), load_images("net.py:images"), Accelerator.load("chip.yaml"))
    with pytest.raises(InputError, match=r"^image: must have the shape \(2, 4, 4\), not \(4, 4, 2\)$"):
        network.bundle.memory(np.zeros((4, 4, 2)))
    with pytest.raises(InputError, match=r"^images: must have the shape \(samples, \*\(2, 4, 4\)\), not \(1, 2, 5, 5\)$"):
        network.run(torch.zeros(1, 2, 5, 5))

