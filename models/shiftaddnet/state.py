"""What a training goes on with after it was cut, as a checkpoint holds it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from hwsim.errors import InputError
from hwsim.files import parse_yaml, validate
from models import checkpoint
from models.shiftaddnet.recipe import Recipe


class State:
    """The network, its average, the optimizers and the accuracies so far; before `restore`, those of the start.

    Parameters
    ----------
    recipe
        Of the training.

    Attributes
    ----------
    history
        Accuracy after every epoch.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe, self.model = recipe, recipe.model()
        self.optimizers = recipe.optimizers(self.model)
        self.averaged = AveragedModel(self.model)
        self.history: list[float] = []

    @property
    def network(self) -> nn.Module:
        """What has been learned: the average, once there is one."""
        network: nn.Module = self.averaged.module if self.averaged.n_averaged else self.model
        return network

    def save(self, path: Path) -> None:
        """Write a checkpoint, with the state of the random numbers."""
        checkpoint.save(path, {
            "recipe": self.recipe.model_dump_json(), "model": self.network.state_dict(), "history": self.history,
            "latest": self.model.state_dict(), "averages": int(self.averaged.n_averaged),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers], "random": torch.get_rng_state(),
        })  # fmt: skip

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises
        ------
        InputError
            If the file is no checkpoint, or one of another recipe.
        """
        kept = checkpoint.load(path, "recipe", "model", "latest", "averages", "history", "optimizers", "random")
        before = recipe_in(kept, path).model_dump()
        for field, value in self.recipe.model_dump().items():
            if before[field] != value:
                raise InputError(f"must be {before[field]!r} as the run began", field=field, value=value)
        checkpoint.restore(self.model, kept["latest"], path)
        checkpoint.restore(self.averaged.module, kept["model"], path)
        self.averaged.n_averaged.fill_(kept["averages"])
        for optimizer, state in zip(self.optimizers, kept["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        torch.set_rng_state(kept["random"])
        self.history = list(kept["history"])


def recipe_in(content: dict[str, Any], path: Path) -> Recipe:
    """Return the recipe of a checkpoint's content.

    Raises
    ------
    InputError
        If it is none.
    """
    return validate(parse_yaml(str(content["recipe"]), file=path), Recipe, file=path)
