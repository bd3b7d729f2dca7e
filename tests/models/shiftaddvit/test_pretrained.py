"""Weights with timm's names: the same answers as timm's networks, and clear errors for other files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from hwsim.errors import InputError
from models.shiftaddvit import reparametrise
from models.shiftaddvit.pretrained import load_pretrained
from models.zoo.pvt import PVTv2, pvt_v2_b0
from models.zoo.vit import VisionTransformer, deit

TIMM = json.loads((Path(__file__).parents[2] / "data" / "timm.json").read_text())


def weights(shapes):
    """Numbers that anyone can make: sines, and those around one for norms."""
    made = {}
    for number, (name, shape) in enumerate(shapes.items()):
        index = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
        around = 1.0 if "norm" in name and name.endswith("weight") else 0.0
        made[name] = (torch.sin(index * 0.37 + number) * 0.05).view(shape).float() + around
    return made


@pytest.mark.parametrize(("name", "make"), [("pvt_v2_b0", pvt_v2_b0), ("deit_tiny_patch16_224", lambda: deit(192))])
def test_answers_are_those_of_timm(tmp_path, name, make):
    path = tmp_path / "weights.pth"
    torch.save({"model": weights(TIMM[name]["shapes"])}, path)
    network = make().eval()
    load_pretrained(network, path)
    image = torch.sin(torch.arange(3 * 224 * 224) * 0.01).view(1, 3, 224, 224)
    with torch.no_grad():
        scores = network(image)[0, : len(TIMM[name]["scores"])]
    torch.testing.assert_close(scores, torch.tensor(TIMM[name]["scores"]), atol=2e-6, rtol=1e-5)


def small(classes=4):
    return VisionTransformer(size=16, patch=8, width=12, depth=1, heads=3, classes=classes)


def test_own_weights_come_back(tmp_path):
    network, path = (
        reparametrise(PVTv2((8, 16, 20, 32), (1, 1, 1, 1), 3), attention="hash", linears="mixture"),
        tmp_path / "w.pt",
    )
    torch.save(network.state_dict(), path)
    other = reparametrise(PVTv2((8, 16, 20, 32), (1, 1, 1, 1), 3), attention="hash", linears="mixture")
    load_pretrained(other, path)
    assert all(
        torch.equal(a, b) for a, b in zip(network.state_dict().values(), other.state_dict().values(), strict=True)
    )


def test_another_classifier_is_kept(tmp_path):
    network, other, path = small(4), small(7), tmp_path / "w.pt"
    torch.save(network.state_dict(), path)
    load_pretrained(other, path, classifier=False)
    assert torch.equal(network.positions, other.positions)
    assert other.head.weight.shape == (7, 12)


def change(state, **changes):
    return {name: value for name, value in (state | changes).items() if value is not None}


class Anything:
    pass


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            lambda s: change(s, positions=torch.zeros(1, 9, 12)),
            "positions: must have the shape (1, 5, 12), not (1, 9, 12)",
        ),
        (lambda s: change(s, positions=None), "positions: must be in the file"),
        (lambda s: change(s, more=torch.zeros(1)), "more: must be in the network"),
        (lambda s: torch.zeros(3), "must hold a state dict, not 'Tensor'"),
        (lambda s: {"epoch": 3}, "must hold a state dict, not 'dict'"),
        (lambda s: Anything(), "must be a file of torch.save that holds tensors and numbers alone"),
    ],
)
def test_other_checkpoints(tmp_path, content, message):
    path = tmp_path / "w.pt"
    torch.save(content(small().state_dict()), path)
    with pytest.raises(InputError) as error:
        load_pretrained(small(), path)
    assert str(error.value) == f"{path}: {message}"


def test_other_files(tmp_path):
    with pytest.raises(InputError, match=r"no\.pt: cannot be read: no such file$"):
        load_pretrained(small(), tmp_path / "no.pt")
    path = tmp_path / "text.pt"
    path.write_text("text")
    with pytest.raises(InputError, match=r"text\.pt: must be a file of torch\.save that holds tensors and numbers alone$"):
        load_pretrained(nn.Identity(), path)
