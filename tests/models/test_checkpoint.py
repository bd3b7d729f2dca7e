"""Files of tensors alone; others, and weights that do not fit, are refused by name."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from hwsim.errors import InputError
from models import checkpoint


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
        (lambda path: path.write_bytes(b"text"), "must be a file of torch.save that holds tensors and numbers alone"),
        (
            lambda path: path.write_bytes(pickle.dumps(Harmful())),
            "must be a file of torch.save that holds tensors and numbers alone",
        ),
        (lambda path: torch.save({"w": Harmful()}, path), "must be a file of torch.save that holds tensors and numbers alone"),
        (lambda path: torch.save(torch.zeros(2), path), "format: must be hwsim/checkpoint/2, not 'Tensor'"),
        (lambda path: torch.save({"model": {}}, path), "format: must be hwsim/checkpoint/2, not None"),
        (lambda path: checkpoint.save(path, {"history": []}), "model: must be in the file"),
    ],
)
def test_no_checkpoint(tmp_path, write, message, capsys):
    write(tmp_path / "a.pt")
    with pytest.raises(InputError) as error:
        checkpoint.load(tmp_path / "a.pt", "history", "model")
    assert str(error.value) == f"{tmp_path / 'a.pt'}: {message}"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("wrapped", [lambda w: w, lambda w: {"state_dict": w}, lambda w: {"model": {"state_dict": w}}])
def test_state_dicts_are_found(tmp_path, wrapped):
    torch.save(wrapped({"w": torch.ones(2)}), tmp_path / "a.pt")
    assert torch.equal(checkpoint.state_dict(tmp_path / "a.pt")["w"], torch.ones(2))


def test_weights_besides_are_kept():
    network = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    kept, given = network[1].weight.clone(), nn.Linear(3, 2).state_dict()
    weights = {f"0.{name}": value for name, value in given.items()} | {"1.weight": torch.zeros(5)}
    checkpoint.restore(network, weights, Path("a.pt"), besides="1.")
    assert torch.equal(network[0].weight, given["weight"])
    assert torch.equal(network[1].weight, kept)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"weight": torch.zeros(2, 3)}, "bias: must be in the file"),
        ({"weight": torch.zeros(2, 3), "bias": torch.zeros(2), "b": torch.zeros(1)}, "b: must be in the network"),
        ({"weight": torch.zeros(2, 4), "bias": torch.zeros(2)}, "weight: must have the shape (2, 3), not (2, 4)"),
        (
            {"weight": torch.zeros(2, 3).double(), "bias": torch.zeros(2)},
            "weight: must have the dtype torch.float32, not 'torch.float64'",
        ),
    ],
)
def test_weights_that_do_not_fit(weights, message):
    with pytest.raises(InputError) as error:
        checkpoint.restore(nn.Linear(3, 2), weights, Path("a.pt"))
    assert str(error.value) == f"a.pt: {message}"
