"""A training step of every network of the zoo, for ``hwsim trace NAME`` and for descriptions of training runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch

from models.zoo import ZOO
from models.zoo.entry import Entry


def training_step(entry: Entry, batch: int) -> dict[str, Any]:
    """Return the network without data, ``batch`` samples, the mean of the outputs as loss, and SGD with momentum."""
    with torch.device("meta"):
        model = entry.make()
    optimizer = partial(torch.optim.SGD, lr=0.1, momentum=0.9)
    return {"model": model, "inputs": entry.inputs(batch), "loss": torch.mean, "optimizer": optimizer}


STEPS: Mapping[str, Callable[[int], dict[str, Any]]] = {
    name: partial(training_step, entry) for name, entry in ZOO.items()
}
