"""Train one of the networks, record the run and keep a checkpoint: python -m models.shiftaddnet.train -h.

Fields of the recipe are given as ``field=value``. The defaults are the paper's full schedule; what fits a few minutes
of a CPU is, for example::

    python -m models.shiftaddnet.train -o runs/adder kind=adder blocks=1 widths=[8,16,32] train_images=4000 epochs=10
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from torch import nn
from torch.optim.swa_utils import update_bn

import hwsim
from hwsim.errors import InputError
from hwsim.files import parse_yaml, validate
from models import checkpoint
from models.accuracy import accuracy
from models.command import one_line
from models.shiftaddnet.datasets import Data, load
from models.shiftaddnet.recipe import Recipe
from models.shiftaddnet.state import State, recipe_in

CHECKPOINT = "checkpoint.pt"


def train(recipe: Recipe, folder: Path, *, start: Path | None = None, data: Data | None = None) -> list[float]:
    """Train, record every step in ``folder`` and keep a checkpoint of the start and after every epoch.

    A folder that holds a checkpoint of the same recipe is gone on with. An average of weights is no network that was
    trained: its batch norms take their statistics from a pass over the training images, which is not recorded.

    Parameters
    ----------
    start
        Checkpoint to take the weights from.
    data
        Of the recipe; loaded unless given.

    Returns
    -------
    list of float
        Accuracy on the test images after every epoch.

    Raises
    ------
    InputError
        If the data or the start are not there or do not fit, or the folder holds a run of another recipe.
    """
    torch.manual_seed(recipe.seed)
    state, data, path = State(recipe), data or load(recipe), folder / CHECKPOINT
    if start:
        checkpoint.restore(state.model, checkpoint.state_dict(start), start)
    if begun := path.is_file():
        state.restore(path)
    with hwsim.record(folder, state.model, *state.optimizers, name=_name(recipe), resume=begun) as run:
        if not begun:
            state.save(path)
        for epoch in range(len(state.history), recipe.epochs):
            run.epoch(epoch)
            loss = _epoch(state, data, epoch)
            if recipe.averages(epoch):
                state.averaged.update_parameters(state.model)
                update_bn(data.batches(recipe.batch), state.averaged)
            state.history.append(accuracy(state.network, *data.test))
            run.log(loss=loss, accuracy=state.history[-1])
            state.save(path)
    return state.history


def load_trained(path: Path) -> tuple[Recipe, nn.Module]:
    """Return the recipe and the network of a checkpoint, in evaluation mode.

    Raises
    ------
    InputError
        If the file is no checkpoint, or its weights are not the recipe's network's.
    """
    content = checkpoint.load(path, "recipe", "model")
    recipe = recipe_in(content, path)
    model = recipe.model()
    checkpoint.restore(model, content["model"], path)
    return recipe, model.eval()


def _epoch(state: State, data: Data, epoch: int) -> float:
    """Train for an epoch and return the mean loss."""
    recipe, model, optimizers = state.recipe, state.model, state.optimizers
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate(epoch)
    model.train()
    count, total = -(-len(data.train[0]) // recipe.batch), 0.0
    console = Console(stderr=True)
    shown = track(
        data.batches(recipe.batch), f"epoch {epoch + 1} of {recipe.epochs}", total=count, console=console,
        transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    for images, labels in shown:
        loss = nn.functional.cross_entropy(model(images), labels)
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        total += loss.item()
    return total / count


def _name(recipe: Recipe) -> str:
    return f"{recipe.kind} {recipe.network} {f'{recipe.quantise} {recipe.bits} bit' if recipe.quantise else 'fp32'}"


def recipe_of(fields: Sequence[str]) -> Recipe:
    """Return the recipe that ``field=value`` arguments describe.

    Raises
    ------
    InputError
        If one is not of that form, or a field breaks its rule.
    """
    given = {}
    for field in fields:
        name, sign, value = field.partition("=")
        if not sign:
            raise InputError("must be given as field=value", field=name)
        given[name] = parse_yaml(value, file=name)
    return validate(given, Recipe)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train as the arguments say and print the accuracies."""
    parser = argparse.ArgumentParser(prog="python -m models.shiftaddnet.train", description=__doc__)
    parser.add_argument("fields", nargs="*", metavar="FIELD=VALUE", help=f"of {', '.join(Recipe.model_fields)}")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the run; gone on with if begun")
    parser.add_argument("--start", type=Path, help="checkpoint to take the weights from")
    options = parser.parse_intermixed_args(arguments)
    with one_line():
        history = train(recipe_of(options.fields), options.output, start=options.start)
    sys.stdout.write(f"accuracy {history[-1]:.2%}, best {max(history):.2%} after {len(history)} epochs\n")


if __name__ == "__main__":
    main()
