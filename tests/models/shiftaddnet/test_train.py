"""Training: learns digits in 8 bits, is recorded, goes on where it was cut, and starts from other runs."""

from __future__ import annotations

import json

import pytest
import torch

import hwsim
from hwsim.errors import InputError
from models import checkpoint
from models.accuracy import accuracy
from models.shiftaddnet.adapt import adapt
from models.shiftaddnet.datasets import load
from models.shiftaddnet.recipe import Recipe
from models.shiftaddnet.train import CHECKPOINT, load_trained, main, recipe_of, train

DIGITS = Recipe(dataset="digits", blocks=1, widths=(8, 16), batch=32, epochs=10, average_from=0.5)
TINY = Recipe(
    dataset="digits", kind="shiftadd", blocks=1, widths=(4,), train_images=40, test_images=20, batch=20, epochs=2
)
saved = checkpoint.save
SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("kind", "quantise"),
    [
        ("shift", None),
        ("shiftadd", "sbm"),
        pytest.param("conv", None, marks=SLOW),
        pytest.param("conv", "sbm", marks=SLOW),
        pytest.param("adder", None, marks=SLOW),
        pytest.param("adder", "sbm", marks=SLOW),
        pytest.param("adder", "wageubn", marks=SLOW),
        pytest.param("shiftadd", None, marks=SLOW),
        pytest.param("shiftadd", "wageubn", marks=SLOW),
        pytest.param("shiftadd_frozen", None, marks=SLOW),
        pytest.param("shiftadd_frozen", "sbm", marks=SLOW),
    ],
)
def test_digits_are_learned(kind, quantise, tmp_path):
    recipe = DIGITS.model_copy(update={"kind": kind, "quantise": quantise})
    history = train(recipe, tmp_path / "run")
    assert history[-1] >= 0.95
    found, model = load_trained(tmp_path / "run" / CHECKPOINT)
    assert found == recipe
    assert accuracy(model, *load(recipe).test) == history[-1]
    result = hwsim.score(tmp_path / "run")
    assert (result.steps, result.samples) == (10 * 45, 10 * 1437)  # passes for batch norms are no steps
    if kind == "shiftadd" and quantise:
        assert {"add.int8", "shift.int32"} <= set(result.coefficients)  # bits of the adders as the training says


def test_average_is_of_the_ends_of_epochs(tmp_path, monkeypatch):
    """Its batch norms know what its own layers give for the training images."""
    ends = []

    def watched(path, content):
        ends.append({name: value.clone() for name, value in content["latest"].items()})
        saved(path, content)

    monkeypatch.setattr(checkpoint, "save", watched)
    recipe = TINY.model_copy(update={"epochs": 4, "average_from": 0.5, "kind": "conv"})
    train(recipe, tmp_path)
    _, model = load_trained(tmp_path / CHECKPOINT)
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight.data, (ends[3][name] + ends[4][name]) / 2)  # the first is the start
    first = model.conv1(load(recipe).train[0]).detach()
    torch.testing.assert_close(model.bn1.running_mean, first.mean((0, 2, 3)))


@pytest.mark.parametrize(
    ("kind", "average_from", "epochs"), [("shiftadd", None, 2), ("conv", None, 2), ("shiftadd", 0.3, 2), ("conv", 0.3, 0)]
)
def test_a_run_that_was_cut_goes_on_as_if_it_had_not_been(tmp_path, kind, average_from, epochs, monkeypatch):
    recipe = TINY.model_copy(update={"kind": kind, "momentum": 0.5, "epochs": 3, "average_from": average_from})
    whole = train(recipe, tmp_path / "whole")

    def cut(path, content):
        saved(path, content)
        if len(content["history"]) == epochs:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", cut)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, tmp_path / "cut")
    assert train(recipe, tmp_path / "cut") == whole
    ours, theirs = (load_trained(tmp_path / name / CHECKPOINT)[1].state_dict() for name in ("cut", "whole"))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    assert hwsim.score(tmp_path / "cut").steps == 6
    assert train(recipe, tmp_path / "cut") == whole  # nothing is left to do


def test_another_recipe_does_not_go_on(tmp_path):
    train(TINY, tmp_path)
    with pytest.raises(InputError, match=r"^learning_rate: must be 0\.1 as the run began, not 0\.2$"):
        train(TINY.model_copy(update={"learning_rate": 0.2}), tmp_path)


def test_a_recording_of_something_else_is_left_alone(tmp_path):
    train(TINY, tmp_path)
    (tmp_path / CHECKPOINT).unlink()
    for _ in range(2):
        with pytest.raises(InputError, match="holds a recorded run already"):
            train(TINY, tmp_path)
    assert not (tmp_path / CHECKPOINT).exists()


def test_rate_falls_at_the_milestones():
    recipe = Recipe()
    assert [round(recipe.rate(epoch), 6) for epoch in (0, 79, 80, 119, 120, 159)] == [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]


def test_shifts_and_signs_do_not_decay():
    model = TINY.model()
    (optimizer,) = TINY.optimizers(model)
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        assert decay[id(parameter)] == (0 if name.endswith((".shift", ".sign")) else 1e-4), name


def test_switched_shifts_stay_powers_of_two(tmp_path):
    recipe = TINY.model_copy(update={"switch_bar": 1, "learning_rate": 10.0})
    before = {name: value.clone() for name, value in recipe.model().state_dict().items()}
    train(recipe, tmp_path)
    _, model = load_trained(tmp_path / CHECKPOINT)
    moved = 0
    for name, weight in model.named_parameters():
        if name.endswith("real"):
            assert set(weight.abs().unique().tolist()) <= {0.0, *(2.0**-p for p in range(8))}
            moved += int((weight != before[name]).sum())
    assert moved


def test_adaptation_starts_from_the_first_part(tmp_path):
    found = adapt("adaptation", TINY, tmp_path)
    assert (len(found.before), len(found.after)) == (2, 2)
    recipe, first = load_trained(tmp_path / "before" / CHECKPOINT)
    assert recipe.classes == (0, 1, 2, 3, 4)
    assert load(recipe).train[1].max() == 4
    still = TINY.model_copy(update={"learning_rate": 0.0, "epochs": 1, "classes": (5, 6, 7, 8, 9)})
    train(still, tmp_path / "still", start=tmp_path / "before" / CHECKPOINT)
    _, second = load_trained(tmp_path / "still" / CHECKPOINT)
    for (name, ours), theirs in zip(second.named_parameters(), first.parameters(), strict=True):
        assert torch.equal(ours, theirs), name


def test_arguments(tmp_path, capsys):
    main(["dataset=digits", "kind=conv", "-o", str(tmp_path), "blocks=1", "widths=[4]", "epochs=1", "train_images=40"])
    assert capsys.readouterr().out.startswith("accuracy ")
    assert json.loads(checkpoint.load(tmp_path / CHECKPOINT)["recipe"])["widths"] == [4]
    with pytest.raises(SystemExit) as done:
        main(["-o", str(tmp_path), "kind=x"])
    assert done.value.code.startswith("error: kind: ")


def test_an_interruption_is_told_in_a_line(tmp_path, capsys, monkeypatch):
    def interrupted(path, content):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", interrupted)
    with pytest.raises(SystemExit) as done:
        main(["-o", str(tmp_path), "dataset=digits", "kind=conv", "widths=[4]"])
    assert done.value.code == 130
    assert capsys.readouterr().err == "interrupted: what was recorded is kept, the same command goes on\n"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (["kind"], "kind: must be given as field=value"),
        (["epochs=0"], "epochs: must be greater than 0, not 0"),
        (["epoch=1"], "epoch: field is not known here, not 1"),
        (["train_images=9000", "dataset=digits"], "train_images: must be at most 1437, not 9000"),
        (["kind=conv", "pruned_shifts=0.5", "dataset=digits"], "pruned: must be 0 unless shifts are frozen, not 0.5"),
        (["kind=shift", "quantise=sbm"], "quantise: must be none in DeepShift: its activations are 16.16, not 'sbm'"),
        (["classes=[1,2,1]"], "classes: must be two classes or more, each once, not [1, 2, 1]"),
        (["classes=[1]"], "classes: must be two classes or more, each once, not [1]"),
        (["kind=adder", "switch_bar=7"], "switched: must be off unless the kind is shiftadd, not True"),
    ],
)
def test_errors(fields, message, tmp_path):
    with pytest.raises(InputError) as error:
        train(recipe_of(fields), tmp_path)
    assert str(error.value) == message
