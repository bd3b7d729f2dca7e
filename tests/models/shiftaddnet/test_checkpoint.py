"""Checkpoints of tensors alone; others, and weights that do not fit, are refused by name."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch import nn

from hwsim.errors import InputError
from models.shiftaddnet import checkpoint


class Harmful:
    def __reduce__(self):
        return print, ("ran",)


def test_weights_come_back(tmp_path):
    model, other = nn.Linear(3, 2), nn.Linear(3, 2)
    checkpoint.save(tmp_path / "a.pt", {"model": model.state_dict(), "history": [0.5]})
    content = checkpoint.load(tmp_path / "a.pt")
    checkpoint.restore(other, content["model"], tmp_path / "a.pt")
    assert torch.equal(other.weight, model.weight)
    assert content["history"] == [0.5]


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: None, "cannot be read: no such file"),
        (lambda path: path.write_bytes(b"text"), "must be a checkpoint that holds tensors and numbers alone"),
        (
            lambda path: path.write_bytes(pickle.dumps(Harmful())),
            "must be a checkpoint that holds tensors and numbers alone",
        ),
        (lambda path: torch.save({"w": Harmful()}, path), "must be a checkpoint that holds tensors and numbers alone"),
        (lambda path: torch.save(torch.zeros(2), path), "format: must be hwsim/checkpoint/1, not 'Tensor'"),
        (lambda path: torch.save({"model": {}}, path), "format: must be hwsim/checkpoint/1, not None"),
    ],
)
def test_no_checkpoint(tmp_path, write, message, capsys):
    write(tmp_path / "a.pt")
    with pytest.raises(InputError) as error:
        checkpoint.load(tmp_path / "a.pt")
    assert str(error.value) == f"{tmp_path / 'a.pt'}: {message}"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"weight": torch.zeros(2, 3)}, "bias: weight is required"),
        ({"weight": torch.zeros(2, 3), "bias": torch.zeros(2), "b": torch.zeros(1)}, "b: weight is not the network's"),
        ({"weight": torch.zeros(2, 4), "bias": torch.zeros(2)}, "weight: must have the shape (2, 3), not (2, 4)"),
        (
            {"weight": torch.zeros(2, 3).double(), "bias": torch.zeros(2)},
            "weight: must have the dtype torch.float32, not 'torch.float64'",
        ),
    ],
)
def test_weights_that_do_not_fit(weights, message):
    with pytest.raises(InputError) as error:
        checkpoint.restore(nn.Linear(3, 2), weights, "a.pt")
    assert str(error.value) == f"a.pt: {message}"
