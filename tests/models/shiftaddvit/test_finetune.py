"""The script on images made here: all stages run, are recorded and priced, and go on after an interruption."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from models.shiftaddvit import Mixture, finetune, recipe
from models.shiftaddvit.recipe import Images, Settings, Stage, augmented, begin, shifted_shares


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Sixty images of two colours, a third to validate on."""
    files = []
    for number in range(60):
        stream = io.BytesIO()
        Image.new("RGB", (64, 64), (220, 30 + number, 40) if number % 2 else (40, 60, 200 - number)).save(
            stream, "JPEG"
        )
        files.append(np.frombuffer(stream.getvalue(), np.uint8))
    np.savez(
        tmp_path / "two.npz", header=np.zeros(0, np.uint8), payload=np.concatenate(files),
        offsets=np.cumsum([0, *map(len, files)]), labels=np.arange(60, dtype=np.uint8) % 2,
        is_train=np.arange(60) < 40, classes=np.array(["a", "b"]),
    )  # fmt: skip
    monkeypatch.setenv("HWSIM_DATA", str(tmp_path))
    return tmp_path


def test_script(data, monkeypatch):
    stages = (
        Stage("softmax", 4, 1e-3), Stage("add", 1, 1e-4, "softmax", attention="mean"),
        Stage("mixture", 1, 1e-4, "add", linears="mixture"),
    )  # fmt: skip
    monkeypatch.setitem(finetune.RECIPES, "small", stages)
    arguments = ["--data", "two.npz", "--batch", "10", "--runs", str(data / "runs"), "--output", str(data / "found.json")]
    with monkeypatch.context() as patch:
        patch.setattr(finetune, "train", cut_in("add"))
        with pytest.raises(SystemExit) as done:
            finetune.main(arguments)
    assert done.value.code == 130
    assert (data / "runs/add/run.json").exists()
    finetune.main(arguments)
    found = json.loads((data / "found.json").read_text())
    assert [stage["stage"] for stage in found["stages"]] == ["softmax", "add", "mixture"]
    assert found["images"] == {"train": 40, "validation": 20}
    softmax, add, mixture = found["stages"]
    assert softmax["accuracy"] == add["accuracy"] == mixture["accuracy"] == 1.0
    assert [len(stage["accuracies"]) for stage in found["stages"]] == [4, 1, 1]  # without those that were cut
    assert softmax["training_j"] > 0
    assert 0 <= mixture["shifted_share"] <= 1
    assert all(stage["image_mj"]["paper"] > stage["image_mj"]["elements"] > 0 for stage in found["stages"])
    monkeypatch.setattr(finetune, "train", None)  # nothing is trained again
    finetune.main(arguments)
    assert json.loads((data / "found.json").read_text()) == found
    with pytest.raises(SystemExit) as done:
        finetune.main([*arguments, "--seed", "1"])
    assert done.value.code == f"error: seed: must be 0 as in {data / 'runs/options.json'}, not '1'"


def cut_in(name):
    """Training that Ctrl-C ends when a stage has been recorded, but before its result is written."""

    def train(network, stage, *others):
        recipe.train(network, stage, *others)
        if stage.name == name:
            raise KeyboardInterrupt

    return train


def test_fewer_images(data):
    whole, few = finetune.load_images("two.npz"), finetune.load_images("two.npz", 10)
    assert (len(few.train), len(few.validation)) == (10, len(whole.validation))
    assert set(few.train_labels.tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "none.npz"], "{data}/none.npz: cannot be read: no such file"),
        (["--epochs", "0"], "epochs: must be greater than 0, not 0"),
        (["--images", "-1"], "images: must be greater than 0, not -1"),
        (["--batch", "41"], "batch: must be at most 40, the training images, not 41"),
        (["--output", "x.txt"], "output: file name must end in .json, not 'x.txt'"),
        (["--weights", "none.pth"], "none.pth: cannot be read: no such file"),
    ],
)
def test_errors(data, arguments, message):
    with pytest.raises(SystemExit) as done:
        finetune.main(["--data", "two.npz", "--batch", "10", "--runs", str(data / "runs"), *arguments])
    assert done.value.code == f"error: {message.format(data=data)}"
    assert not (data / "runs").exists()


@pytest.mark.parametrize("option", ["--on", "--accounting"])
def test_unknown_hardware_is_told_at_once(data, option):
    with pytest.raises(SystemExit) as done:
        finetune.main(["--data", "two.npz", option, "abacus"])
    assert done.value.code.startswith("error: ")
    assert "abacus" in done.value.code


def test_no_data(monkeypatch):
    monkeypatch.delenv("HWSIM_DATA", raising=False)
    with pytest.raises(SystemExit) as done:
        finetune.main(["--data", "none.npz"])
    assert done.value.code == "error: HWSIM_DATA: must name the folder that holds none.npz"


def test_images_are_moved_and_mirrored():
    torch.manual_seed(0)
    image = torch.arange(32.0 * 32).view(1, 1, 32, 32) + 1
    seen = set()
    for _ in range(60):
        (found,) = augmented(image)
        options = [
            (mirrored, down, right)
            for mirrored in (False, True) for down in range(5) for right in range(5)
            if torch.equal(F.pad(image.flip(3) if mirrored else image, (2,) * 4)[0, :, down : down + 32, right : right + 32], found)
        ]  # fmt: skip
        assert len(options) == 1
        seen.add(options[0])
    assert len(seen) > 20


def test_weight_decay_leaves_shifts_signs_and_vectors_alone():
    network = nn.Sequential(Mixture(nn.Linear(4, 4)), nn.LayerNorm(4))
    decayed, kept = recipe._groups(network, 0.1)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    assert {names[id(p)] for p in decayed["params"]} == {"0.experts.0.weight", "0.router.weight", "0.noise.weight"}
    assert len(kept["params"]) + 3 == len(names)
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.1, 0.0)


def test_a_stage_begins_with_fitted_codes_and_simulated_latencies():
    torch.manual_seed(0)
    images = Images(torch.randn(8, 3, 64, 64), torch.zeros(8).long(), torch.randn(2, 3, 64, 64), torch.zeros(2).long())
    network = finetune.NETWORKS["pvt_small"](64, 2)
    stage = Stage("both", 1, 1e-4, attention="hash", linears="mixture")
    started = begin(network, stage, images, Settings(batch=4, accounting="shiftaddvit"))
    assert all(m.alpha[0] > 0.7 for m in started.modules() if isinstance(m, Mixture))
    codes = started.stages[0].blocks[0].attention.codes
    assert codes.anchors.norm(dim=2).sub(1).abs().max() < 1e-5  # queries and keys of length one
    assert len(shifted_shares(started, images.validation)) == 16


def test_the_papers_recipe():
    assert [(s.epochs, s.rate, s.attention, s.linears) for s in recipe.PAPER] == [
        (100, 5e-5, None, "multiply"), (100, 5e-5, "hash", "multiply"), (100, 1e-5, None, "mixture")
    ]  # fmt: skip
