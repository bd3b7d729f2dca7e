"""Adaptation and fine-tuning as in Table 2 of the paper: train on one part of the data, go on with the other.

*Adaptation*: the parts hold different classes, 0 to 4 and 5 to 9. *Fine-tuning*: the parts are halves of the images of
all classes. Both runs are recorded::

    python -m models.shiftaddnet.adapt adaptation -o runs/adapt kind=shiftadd dataset=digits epochs=10
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from models.command import one_line
from models.shiftaddnet.datasets import load
from models.shiftaddnet.recipe import Recipe
from models.shiftaddnet.train import CHECKPOINT, recipe_of, train

Experiment = Literal["adaptation", "finetune"]
PARTS: dict[Experiment, tuple[dict[str, Any], dict[str, Any]]] = {
    "adaptation": ({"classes": (0, 1, 2, 3, 4)}, {"classes": (5, 6, 7, 8, 9)}),
    "finetune": ({"half": 0}, {"half": 1}),
}


@dataclass(frozen=True)
class Adapted:
    """Accuracy on the test images after every epoch: of the first part, then of the second, on its own classes."""

    before: list[float]
    after: list[float]
    tested: int
    """Test images of the second part."""


def adapt(experiment: Experiment, recipe: Recipe, folder: Path) -> Adapted:
    """Train on the first part into ``folder/before``, then on the second into ``folder/after``, from its weights.

    Raises
    ------
    InputError
        As `train`.
    """
    first, second = (recipe.model_copy(update=part) for part in PARTS[experiment])
    before, data = train(first, folder / "before"), load(second)
    after = train(second, folder / "after", start=folder / "before" / CHECKPOINT, data=data)
    return Adapted(before, after, len(data.test[1]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run an experiment and print the accuracies."""
    parser = argparse.ArgumentParser(prog="python -m models.shiftaddnet.adapt", description=__doc__)
    parser.add_argument("experiment", choices=tuple(PARTS))
    parser.add_argument("fields", nargs="*", metavar="FIELD=VALUE", help="of the recipe, see models.shiftaddnet.train")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of both runs; gone on with if begun")
    options = parser.parse_intermixed_args(arguments)
    with one_line():
        found = adapt(options.experiment, recipe_of(options.fields), options.output)
    sys.stdout.write(f"first part {found.before[-1]:.2%}; second {found.after[0]:.2%} after one epoch, ")
    sys.stdout.write(f"{found.after[-1]:.2%} at the end\n")


if __name__ == "__main__":
    main()
